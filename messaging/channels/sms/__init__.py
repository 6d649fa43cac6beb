"""SMS: by SMPP (`smpp`), or by a provider's HTTP interface (`http_gateway`, told by `gateways`).

How a text is cut into segments is said in `messaging.policy.sms_segments`.
"""
