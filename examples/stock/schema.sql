CREATE TABLE IF NOT EXISTS products (
    revision    INTEGER PRIMARY KEY AUTOINCREMENT, -- grows with each product
    sku         TEXT    NOT NULL UNIQUE,
    name        TEXT    NOT NULL,
    price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
    stock       INTEGER NOT NULL CHECK (stock >= 0),
    supplier_reference TEXT                        -- NULL until the supplier knows it
);

-- One row for each e-mail that went out. The key is what keeps a second one from being recorded.
CREATE TABLE IF NOT EXISTS outbox (
    sku        TEXT PRIMARY KEY REFERENCES products (sku),
    message_id TEXT NOT NULL UNIQUE
);

-- Up to which revision the report on disk goes.
CREATE TABLE IF NOT EXISTS report (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
);
