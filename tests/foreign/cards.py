# SPDX-License-Identifier: Apache-2.0
"""What a test has to know of each simulated card: names, and the PINs that it is delivered with."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    name: str      # for kilt-sim run --card
    model: str     # CKA model
    user_pin: str
    so_pin: str    # of the ID card: the PUK
    new_pin: str = "a-new-pin"
    wrong_pin: str = "99999999"
    tries: int = 10
    tells_tries: bool = True  # without spending one


CARDS = {card.name: card for card in (
    Card("kaztoken", "KAZTOKEN", "12345678", "87654321"),
    Card("kaztoken-sc", "KAZTOKEN", "12345678", "87654321"),
    Card("etoken72k", "ETOKEN PRO 72K", "1234567890", "00000000", tells_tries=False),
    Card("jacarta", "JACARTA", "1234567890", "00000000"),
    Card("jacarta-pro", "JACARTA", "1234567890", "00000000", tells_tries=False),
    Card("kzid", "KZ ID CARD", "1234", "87654321", new_pin="567890", tries=3),
)}
