"""Short texts that belong to kinds of documents; running text comes from the corpus."""

from __future__ import annotations

from ..strings import draw_code, draw_date, draw_number, draw_price
from .draft import Draft

MENUS = (
    "File Edit View Insert Format Tools Data Window Help",
    "File Edit Selection View Go Run Terminal Help",
    "Home Insert Draw Design Layout References Review View",
    "Overview Repositories Projects Packages Stars",
    "Dashboard Orders Products Customers Reports Settings",
)
BUTTONS = (
    "OK", "Cancel", "Apply", "Save", "Close", "Next", "Back", "Sign in", "Submit", "Delete", "Search", "Yes", "No",
)  # fmt: skip
FORM_LABELS = (
    "Name", "First name", "Last name", "Date of birth", "Address", "City", "Postal code", "Country", "Phone",
    "E-mail", "Occupation", "Employer", "ID No.", "Nationality", "Signature", "Date", "Amount", "Account No.",
    "Reference", "Policy number", "Place of birth", "Tax ID", "Marital status", "Telephone (home)", "Fax", "IBAN",
    "Remarks",
)  # fmt: skip
RECEIPT_TOTALS = ("SUBTOTAL", "TOTAL", "CASH", "CHANGE", "GST 6%", "VAT", "Rounding", "Discount", "Total (RM):", "VISA")
RECEIPT_FIELDS = ("Date:", "Time:", "Cashier:", "Table:", "Invoice No:", "Bill #", "Member:", "Terminal", "Tel:")
THANKS = (
    "THANK YOU", "Please come again", "*** THANK YOU ***", "Goods sold are not returnable", "Have a nice day!",
    "Keep this receipt", "CUSTOMER COPY",
)  # fmt: skip
COLUMN_NAMES = (
    "No.", "Item", "Qty", "Price", "Total", "Date", "Name", "Code", "Unit", "Amount", "Rate", "Year", "Score", "Rank",
    "Description", "Min", "Max", "Mean", "Time", "Status", "ID", "%",
)  # fmt: skip
KEYWORDS = (
    "def", "return", "if", "else:", "for", "in", "import", "from", "class", "while", "not", "and", "const", "let",
)  # fmt: skip


def amount(draft: Draft, most: float = 300.0) -> str:
    """An amount with two decimals, as in a column of amounts."""
    value = draft.real(0.2, 1.0) * most ** draft.real(0.2, 1.0)
    return f"{value:,.2f}"


def number(draft: Draft, digits: int) -> str:
    """A number of this many digits."""
    low = 10 ** (digits - 1) if digits > 1 else 0
    return str(draft.whole(low, 10**digits - 1))


def cell(draft: Draft, kind: str) -> list[str]:
    """The words of a cell of a table. kind: of `tables.KINDS`."""
    if kind == "digit":
        return [number(draft, 1)]
    if kind == "integer":
        return [number(draft, draft.whole(1, 4))]
    if kind == "amount":
        return [amount(draft)]
    if kind == "percent":
        return [f"{draft.real(0, 100):.1f}%"]
    if kind == "mark":
        return [draft.pick("ABCXYN")]
    draws = {"price": draw_price, "date": draw_date, "code": draw_code, "number": draw_number}
    return [draws[kind](draft.rng)] if kind in draws else draft.label(1, 3)
