"""What an SMPP command status says about the message, and about the provider."""

from aiosmpplib import SmppCommandStatus

from messaging.channels.base import Failed

_PAUSE_S = 5.0
_QUEUE_S = 30.0

_WRONG_NUMBER = {SmppCommandStatus.ESME_RINVDSTADR}
_THROTTLED = {
    SmppCommandStatus.ESME_RTHROTTLED: Failed("rate_limited", False, retry_after_s=_PAUSE_S),
    SmppCommandStatus.ESME_RMSGQFUL: Failed("queue_full", False, retry_after_s=_QUEUE_S),
}
_OUR_ACCOUNT = {
    SmppCommandStatus.ESME_RINVBNDSTS: "not_bound",
    SmppCommandStatus.ESME_RINVSYSID: "login_refused",
    SmppCommandStatus.ESME_RINVPASWD: "login_refused",
    SmppCommandStatus.ESME_RINVSYSTYP: "login_refused",
    SmppCommandStatus.ESME_RBINDFAIL: "login_refused",
    SmppCommandStatus.ESME_RALYBND: "login_refused",
    SmppCommandStatus.ESME_RINVSRCADR: "sender_refused",
    SmppCommandStatus.ESME_RINVSRCTON: "sender_refused",
    SmppCommandStatus.ESME_RINVSRCNPI: "sender_refused",
    SmppCommandStatus.ESME_RSYSERR: "provider_down",
}
"""No message would get through, whoever it is to."""
_THIS_MESSAGE = {
    SmppCommandStatus.ESME_RINVMSGLEN,
    SmppCommandStatus.ESME_RINVCMDLEN,
    SmppCommandStatus.ESME_RINVCMDID,
    SmppCommandStatus.ESME_RINVREGDLVFLG,
    SmppCommandStatus.ESME_RINVDSTTON,
    SmppCommandStatus.ESME_RINVDSTNPI,
    SmppCommandStatus.ESME_RINVESMCLASS,
    SmppCommandStatus.ESME_RINVEXPIRY,
    SmppCommandStatus.ESME_RX_P_APPN,
    SmppCommandStatus.ESME_RX_R_APPN,
    SmppCommandStatus.ESME_RINVOPTPARSTREAM,
    SmppCommandStatus.ESME_RINVPARLEN,
}
"""The same message would be refused again."""


def status_name(status: int) -> str:
    """ESME_RTHROTTLED; a provider's own status as a hexadecimal number."""
    try:
        return str(SmppCommandStatus(status).name)
    except ValueError:
        return f"0x{status:08X}"


def failure(status: int) -> Failed:
    """The verdict on a submit_sm or a bind that was answered with this status (not ESME_ROK)."""
    name = status_name(status)
    try:
        known = SmppCommandStatus(status)
    except ValueError:
        return Failed("refused_for_now", False, detail=name)
    if known in _WRONG_NUMBER:
        return Failed("address_unknown", True, detail=name)
    if known in _THROTTLED:
        throttled = _THROTTLED[known]
        return Failed(throttled.reason, False, throttled.retry_after_s, name)
    if known in _OUR_ACCOUNT:
        return Failed(_OUR_ACCOUNT[known], False, detail=name, provider_down=True)
    if known in _THIS_MESSAGE:
        return Failed("refused_by_provider", True, detail=name)
    return Failed("refused_for_now", False, detail=name)
