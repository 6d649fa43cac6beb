"""Web push: notifications of the browser, through its maker's push service.

`WebPushChannel` is in `channel`; which browsers have subscribed is in `push_subscriptions`.
"""
