"""Eyes of one round: they see with those of the connection, and their clock stands at the time the round began.

So what a step asks does not depend on how long the steps before it took, and a replay asks the same again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from firebreak.model.clouds import ArmReader, BlobReader, Eyes, GraphReader, JsonReader, PriceReader, VaultReader


@dataclass(frozen=True)
class EyesOfRound:
    """`Eyes` whose `now` is the time of a round."""

    eyes: Eyes
    began: datetime

    @property
    def arm(self) -> ArmReader:
        return self.eyes.arm

    @property
    def graph(self) -> GraphReader:
        return self.eyes.graph

    @property
    def partner_center(self) -> JsonReader:
        return self.eyes.partner_center

    @property
    def blobs(self) -> BlobReader:
        return self.eyes.blobs

    @property
    def prices(self) -> PriceReader:
        return self.eyes.prices

    @property
    def vaults(self) -> VaultReader:
        return self.eyes.vaults

    def now(self) -> datetime:
        return self.began

    async def own_principal_ids(self) -> tuple[str, ...]:
        """As those of the connection."""
        return await self.eyes.own_principal_ids()
