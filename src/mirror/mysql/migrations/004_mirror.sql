-- What the mirror keeps beside the mall's columns. `seq` is the event that wrote a row last; a row without one is not the
-- mirror's, which leaves it alone.

-- unless column product_categories seq
ALTER TABLE product_categories ADD COLUMN seq BIGINT UNSIGNED;

-- unless column products seq
ALTER TABLE products ADD COLUMN seq BIGINT UNSIGNED;

-- unless column exchange_orders state
ALTER TABLE exchange_orders ADD COLUMN state VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- unless column exchange_orders cancelled_at
ALTER TABLE exchange_orders ADD COLUMN cancelled_at DATETIME(3);

-- unless column exchange_orders seq
ALTER TABLE exchange_orders ADD COLUMN seq BIGINT UNSIGNED;

-- unless column inventory_records quantity
ALTER TABLE inventory_records ADD COLUMN quantity BIGINT NOT NULL DEFAULT 0;

-- unless column inventory_records seq
ALTER TABLE inventory_records ADD COLUMN seq BIGINT UNSIGNED;

-- unless column points_records balance_before
ALTER TABLE points_records ADD COLUMN balance_before BIGINT NOT NULL DEFAULT 0;

-- unless column points_records balance_after
ALTER TABLE points_records ADD COLUMN balance_after BIGINT NOT NULL DEFAULT 0;

-- unless column points_records seq
ALTER TABLE points_records ADD COLUMN seq BIGINT UNSIGNED;

-- unless column users points_balance
ALTER TABLE users ADD COLUMN points_balance BIGINT NOT NULL DEFAULT 0;

-- unless column users seq
ALTER TABLE users ADD COLUMN seq BIGINT UNSIGNED;

CREATE TABLE IF NOT EXISTS mirror_state (
  id TINYINT PRIMARY KEY,
  ledger_id CHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  phase VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  epoch BIGINT UNSIGNED NOT NULL,
  watermark BIGINT UNSIGNED NOT NULL,
  mark BIGINT UNSIGNED NOT NULL,
  event_at DATETIME(3),
  mirrored_at DATETIME(3),
  rejected BIGINT UNSIGNED NOT NULL DEFAULT 0,
  reload_from BIGINT UNSIGNED,
  reload_to BIGINT UNSIGNED,
  last_error TEXT CHARACTER SET utf8mb4,
  last_error_at DATETIME(3)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE IF NOT EXISTS mirror_rejected (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  table_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  row_id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  content LONGTEXT CHARACTER SET utf8mb4 NOT NULL,
  reason TEXT CHARACTER SET utf8mb4 NOT NULL,
  rejected_at DATETIME(3) NOT NULL,
  INDEX idx_seq (seq)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
