"""Prices, times, dates and other strings that are not words. Each is one region, with its punctuation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
CURRENCIES = ("$", "€", "£", "¥", "USD", "EUR", "CHF", "kr")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
UNITS = ("km/h", "km", "m", "cm", "mm", "kg", "g", "ml", "l", "°C", "W", "V", "GB", "MB", "%", "min", "h", "pcs")
HOSTS = ("shop", "info", "city", "hotel", "news", "blue", "north", "market", "photo", "garden", "travel", "music")
ENDINGS = ("com", "org", "net", "de", "co.uk", "fr", "cn", "io", "eu", "info")
_SHORT_TEXT = """
No. St. Ave. Tel. Tel: Fax: Mr. Mrs. Dr. Co. Ltd. Inc. a.m. p.m. e.g. etc. U.S.A. vs. Nr. Str. Rd. & B&B Q&A 24h 24/7
P+R 1st 2nd 3rd 4th OK WC VIP ATM USB TV DVD Wi-Fi S/N A/C T-shirt CD's McDo O'Neil *new*
"""
SHORT = tuple(_SHORT_TEXT.split())


def _digits(rng: np.random.Generator, count: int) -> str:
    return "".join(map(str, rng.integers(0, 10, count)))


def _letters(rng: np.random.Generator, count: int) -> str:
    return "".join(_pick(rng, LETTERS) for _ in range(count))


def _pick(rng: np.random.Generator, choices: tuple[str, ...] | str) -> str:
    return choices[int(rng.integers(len(choices)))]


def draw_price(rng: np.random.Generator) -> str:
    """As "$3.50", "39,50", "1.299,00", "€1,299" or "12.-"; never with a blank."""
    amount = int(10 ** rng.uniform(0, 4))
    whole = f"{amount:,}" if rng.random() < 0.5 else str(amount)
    form, mark = int(rng.integers(6)), _pick(rng, CURRENCIES)
    if form == 0:
        return whole.replace(",", ".") + "," + _digits(rng, 2)
    if form == 1:
        return f"{mark}{whole}"
    if form == 2:
        return f"{amount}.-"
    text = f"{whole}.{_pick(rng, ('00', '50', '95', '99'))}" if form == 3 else f"{whole}.{_digits(rng, 2)}"
    return mark + text if form == 4 else text


def draw_time(rng: np.random.Generator) -> str:
    """As "9:30", "09.30", "18:00-22:30", "7pm"."""
    hour, minute = int(rng.integers(24)), 5 * int(rng.integers(12))
    form = int(rng.integers(5))
    if form == 0:
        return f"{hour % 12 + 1}{_pick(rng, ('am', 'pm', 'AM', 'PM'))}"
    if form == 1:
        return f"{hour:02d}.{minute:02d}"
    if form == 2:
        return f"{hour:02d}:{minute:02d}-{(hour + 3) % 24:02d}:30"
    return f"{hour}:{minute:02d}" if form == 3 else f"{hour:02d}:{minute:02d}:{5 * int(rng.integers(12)):02d}"


def draw_date(rng: np.random.Generator) -> str:
    """As "15/01/2018", "2018-01-15", "15.1.18", "15-Jan-2018"."""
    day, month, year = int(rng.integers(1, 29)), int(rng.integers(1, 13)), int(rng.integers(1950, 2031))
    forms = (
        f"{day:02d}/{month:02d}/{year}",
        f"{year}-{month:02d}-{day:02d}",
        f"{day}.{month}.{year % 100:02d}",
        f"{day:02d}-{MONTHS[month - 1]}-{year}",
        f"{month}/{day}/{year % 100:02d}",
        f"{day:02d}.{month:02d}.{year}",
        f"{year}",
        f"'{year % 100:02d}",
    )
    return forms[int(rng.integers(len(forms)))]


def draw_phone(rng: np.random.Generator) -> str:
    """A telephone number without blanks."""
    forms: tuple[Callable[[], str], ...] = (
        lambda: f"{_digits(rng, 3)}-{_digits(rng, 4)}",
        lambda: f"({_digits(rng, 3)}){_digits(rng, 3)}-{_digits(rng, 4)}",
        lambda: f"+{_digits(rng, 2)}{_digits(rng, 9)}",
        lambda: f"0{_digits(rng, 3)}/{_digits(rng, 6)}",
        lambda: f"{_digits(rng, 4)}.{_digits(rng, 4)}",
        lambda: _digits(rng, 8),
    )
    return forms[int(rng.integers(len(forms)))]()


def draw_address(rng: np.random.Generator) -> str:
    """A web or e-mail address."""
    host = _pick(rng, HOSTS) + (f"-{_pick(rng, HOSTS)}" if rng.random() < 0.3 else "")
    site = f"{host}.{_pick(rng, ENDINGS)}"
    forms = (f"www.{site}", site, f"info@{site}", f"https://{site}/{_pick(rng, HOSTS)}", f"@{host}", f"#{host}")
    return forms[int(rng.integers(len(forms)))]


def draw_code(rng: np.random.Generator) -> str:
    """A number plate, serial number, room or route."""
    forms: tuple[Callable[[], str], ...] = (
        lambda: f"{_letters(rng, 2)}-{_letters(rng, 2)}{_digits(rng, 3)}",
        lambda: f"{_letters(rng, 3)}{_digits(rng, 3)}",
        lambda: f"{_letters(rng, 1)}{_digits(rng, 2)}",
        lambda: f"{_digits(rng, 1)}{_letters(rng, 3)}{_digits(rng, 3)}",
        lambda: f"#{_digits(rng, 4)}",
        lambda: f"{_letters(rng, 2)}{_digits(rng, 6)}",
        lambda: f"{_digits(rng, 2)}-{_digits(rng, 2)}",
        lambda: f"({_digits(rng, 2)})",
    )
    return forms[int(rng.integers(len(forms)))]()


def draw_number(rng: np.random.Generator) -> str:
    """A number, often short, sometimes with a unit or a sign."""
    number = int(10 ** rng.uniform(0, 5))
    unit, hundredths = _pick(rng, UNITS), f"{number / 100:.2f}"
    forms = (f"{number}{unit}", hundredths, f"{number:,}", f"-{number % 100}%", f"{number % 100}", f"{number}")
    return forms[int(rng.integers(len(forms)))]


def draw_character(rng: np.random.Generator) -> str:
    """A single digit or capital."""
    return _digits(rng, 1) if rng.random() < 0.6 else _letters(rng, 1)


def draw_short(rng: np.random.Generator) -> str:
    """An abbreviation, often with punctuation."""
    return _pick(rng, SHORT)


DRAWERS = (
    draw_price,
    draw_time,
    draw_date,
    draw_phone,
    draw_address,
    draw_code,
    draw_number,
    draw_number,
    draw_short,
    draw_short,
    draw_character,
)


def draw_string(rng: np.random.Generator) -> str:
    """One of all kinds."""
    return DRAWERS[int(rng.integers(len(DRAWERS)))](rng)
