"""Mails that come back, in the shapes of the servers that send them. `{token}` is ours."""

POSTFIX = """\
Return-Path: <>
Delivered-To: bounce+{token}@b.kapsula.example
From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
To: bounce+{token}@b.kapsula.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="4F1A2.1700000000/mx.example.com"

This is a MIME-encapsulated message.

--4F1A2.1700000000/mx.example.com
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.com.

<anna@example.com>: host mx1.example.com[192.0.2.1] said: {diagnostic}

--4F1A2.1700000000/mx.example.com
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
X-Postfix-Queue-ID: 4F1A2
Arrival-Date: Tue, 24 Nov 2026 10:00:00 +0000 (UTC)

Final-Recipient: rfc822; anna@example.com
Original-Recipient: rfc822;anna@example.com
Action: {action}
Status: {status}
Remote-MTA: dns; mx1.example.com
Diagnostic-Code: smtp; {diagnostic}

--4F1A2.1700000000/mx.example.com
Content-Description: Undelivered Message
Content-Type: message/rfc822

Return-Path: <bounce+{token}@b.kapsula.example>
From: news@kapsula.example
To: anna@example.com
Subject: =?utf-8?b?0JLQsNGIINGH0LXQug==?=
Message-ID: <{token}@kapsula.example>

Hello
--4F1A2.1700000000/mx.example.com--
"""

EXIM = """\
Return-path: <>
Envelope-to: bounce+{token}@b.kapsula.example
X-Failed-Recipients: anna@example.com
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.example.net>
To: bounce+{token}@b.kapsula.example
References: <{token}@kapsula.example>
Content-Type: multipart/report; report-type=delivery-status; boundary=1700000000-eximdsn-1804289383
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender

--1700000000-eximdsn-1804289383
Content-type: text/plain; charset=us-ascii

This message was created automatically by mail delivery software.

  anna@example.com
    host mx1.example.com [192.0.2.1]
    SMTP error from remote mail server after RCPT TO:<anna@example.com>:
    550 No such person at this address

--1700000000-eximdsn-1804289383
Content-type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Action: failed
Final-Recipient: rfc822;anna@example.com
Status: 5.0.0
Remote-MTA: dns; mx1.example.com
Diagnostic-Code: smtp; 550 No such person at this address

--1700000000-eximdsn-1804289383
Content-type: text/rfc822-headers

Return-path: <bounce+{token}@b.kapsula.example>
Message-ID: <{token}@kapsula.example>

--1700000000-eximdsn-1804289383--
"""

OLD_EXIM = """\
Return-path: <>
X-Failed-Recipients: anna@example.com
From: Mail Delivery System <Mailer-Daemon@mx.example.net>
To: news@kapsula.example
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  anna@example.com
    SMTP error from remote mail server after RCPT TO:<anna@example.com>:
    host mx1.example.com [192.0.2.1]: 550 5.1.1 unknown user

------ This is a copy of the message, including all the headers. ------

Return-path: <news@kapsula.example>
Message-ID: <{token}@kapsula.example>
"""

EXCHANGE = """\
Return-Path: <>
From: <postmaster@contoso.example>
To: <bounce+{token}@b.kapsula.example>
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="0c8f_contoso"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: en-US
Message-ID: <9f2c@contoso.example>
In-Reply-To: <{token}@kapsula.example>
Subject: =?utf-8?B?VW5kZWxpdmVyYWJsZTog0JLQsNGIINGH0LXQug==?=
Auto-Submitted: auto-replied
MIME-Version: 1.0

--0c8f_contoso
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="inner_contoso"

--inner_contoso
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: base64

RGVsaXZlcnkgaGFzIGZhaWxlZA==

--inner_contoso--

--0c8f_contoso
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0PR01.contoso.example
Received-From-MTA: dns;mx.kapsula.example
Arrival-Date: Tue, 24 Nov 2026 10:00:00 +0000

Final-Recipient: rfc822;anna@contoso.example
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient
 anna@contoso.example not found by SMTP address lookup

--0c8f_contoso
Content-Type: message/rfc822

From: news@kapsula.example
Message-ID: <{token}@kapsula.example>

Hello
--0c8f_contoso--
"""

GMAIL = """\
Delivered-To: news@kapsula.example
Return-Path: <>
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: news@kapsula.example
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
References: <{token}@kapsula.example>
In-Reply-To: <{token}@kapsula.example>
X-Failed-Recipients: anna@gmail.example
Content-Type: multipart/report; boundary="0000000000009d7a"; report-type=delivery-status

--0000000000009d7a
Content-Type: multipart/related; boundary="0000000000009dab"

--0000000000009dab
Content-Type: text/html; charset="UTF-8"

<b>Address not found</b>
--0000000000009dab--
--0000000000009d7a
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Arrival-Date: Tue, 24 Nov 2026 02:00:00 -0800 (PST)
X-Original-Message-ID: <{token}@kapsula.example>

Final-Recipient: rfc822; anna@gmail.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; gmail-smtp-in.l.google.com. (192.0.2.9, the server for the domain gmail.example.)
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please
 550 5.1.1 try double-checking the recipient's email address for typos.
Last-Attempt-Date: Tue, 24 Nov 2026 02:00:01 -0800 (PST)

--0000000000009d7a
Content-Type: message/rfc822

Message-ID: <{token}@kapsula.example>

--0000000000009d7a--
"""

ARF = """\
Return-Path: <>
From: <abusedesk@isp.example>
To: bounce+{token}@b.kapsula.example
Subject: FW: a mail
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report;
     boundary="part1_13d.2e68ed54_boundary"

--part1_13d.2e68ed54_boundary
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report.

--part1_13d.2e68ed54_boundary
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <bounce+{token}@b.kapsula.example>

--part1_13d.2e68ed54_boundary
Content-Type: message/rfc822

From: <news@kapsula.example>
Message-ID: <{token}@kapsula.example>

Spam Spam Spam
--part1_13d.2e68ed54_boundary--
"""

VACATION = """\
Return-Path: <anna@example.com>
Delivered-To: bounce+{token}@b.kapsula.example
From: Anna <anna@example.com>
To: bounce+{token}@b.kapsula.example
Auto-Submitted: auto-replied
In-Reply-To: <{token}@kapsula.example>
Subject: Out of office
Content-Type: text/plain

I am away until 550 5.1.1 o'clock.
"""

LETTER = """\
From: Anna <anna@example.com>
To: news@kapsula.example
In-Reply-To: <{token}@kapsula.example>
Subject: Re: your mail

Why do I get "550 5.1.1 user unknown" from you?
"""

LEAVING = """\
From: Anna <anna@example.com>
To: unsubscribe+{token}@b.kapsula.example
Subject: unsubscribe

"""
