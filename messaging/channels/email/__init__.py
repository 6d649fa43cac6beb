"""E-mail: written as bytes (`mime`), signed (`signing`), handed to a mail server (`pool`).

What comes back later, by mail or by a provider's call, is in `bounces` and `providers`.
"""
