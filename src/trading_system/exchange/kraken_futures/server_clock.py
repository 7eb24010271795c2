"""How far the venue's clock is from our market time, measured on answers that carry `serverTime`."""

from __future__ import annotations

from datetime import datetime, timedelta


class ServerClock:
    """The latest measurement. The venue stamped its time somewhere between our sending and receiving."""

    def __init__(self) -> None:
        self._offset: timedelta | None = None
        self._uncertainty = timedelta(0)

    def note(self, server_time: datetime, sent: datetime, received: datetime) -> None:
        """`sent` and `received` are market time just before and just after the call."""
        half = (received - sent) / 2
        self._offset = server_time - (sent + half)
        self._uncertainty = half

    @property
    def offset(self) -> timedelta | None:
        """Venue time minus our market time; None before the first measurement."""
        return self._offset

    @property
    def uncertainty(self) -> timedelta:
        """The true offset lies within offset ± this."""
        return self._uncertainty
