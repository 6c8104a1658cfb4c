"""Documents: `data.documents=`. Pages, receipts, screens and slides."""
