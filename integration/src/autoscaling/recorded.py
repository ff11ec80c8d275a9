#!/usr/bin/env python3
"""Makes recorded.csv: four days of a web site's requests a second, by five minutes.

No site was recorded: the numbers come from here, with what records of sites show. A day with two
humps and a night, a quieter day, bursts that come at random and fade, noise that is larger where the
load is, and a deploy that halves the traffic for a quarter of an hour.

    python3 recorded.py > recorded.csv
"""

import math
import random

MINUTES = 5
DAYS = 4

chance = random.Random(20140310)
burst = drift = 0.0
print("minute,requests_per_second")
for index in range(DAYS * 24 * 60 // MINUTES):
    minute = index * MINUTES
    hour, day = minute / 60 % 24, minute // (24 * 60)
    humps = math.exp(-((hour - 11) / 2.8) ** 2) + 0.8 * math.exp(-((hour - 20) / 2.2) ** 2)
    usual = (14 + 86 * humps) * (0.7 if day == 2 else 1)
    drift = 0.97 * drift + chance.gauss(0, 0.02)
    burst *= 0.82
    if chance.random() < 1 / 150:
        burst += chance.uniform(15, 70)
    rate = usual * (1 + drift) + burst
    if day == 1 and 15 <= hour < 15.25:
        rate /= 2
    rate += chance.gauss(0, math.sqrt(rate) * 0.6)
    print(f"{minute},{max(rate, 0.5):.1f}")
