"""Ways out of the house: gateways for SMS, robots in group chats, mail.

What lives here: how each kind of channel is spoken to, what may be told and in which words. What
must not: the queue (core.services.outbox, core.services.sending) and who receives what, which the
floors above say.
"""
