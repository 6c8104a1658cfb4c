"""Documents: pages, tables, forms, receipts, screenshots, chats, slides and columns of Chinese."""
