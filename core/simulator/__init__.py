"""An IB Gateway on loopback: the real wire protocol, simulated prices.

It imports nothing of ``core.ibkr``, nor the reverse, so that a mistake in reading the protocol
cannot be made twice and hide itself.
"""
