-- Widths that hold what the ledger holds, ids that tell upper case from lower, times in milliseconds beyond 2038. Each is
-- named in docs/mirror.md. A table of the wrong engine would not keep rows and watermark together.

-- unless engine product_categories InnoDB
ALTER TABLE product_categories ENGINE = InnoDB;

-- unless engine products InnoDB
ALTER TABLE products ENGINE = InnoDB;

-- unless engine exchange_orders InnoDB
ALTER TABLE exchange_orders ENGINE = InnoDB;

-- unless engine inventory_records InnoDB
ALTER TABLE inventory_records ENGINE = InnoDB;

-- unless engine user_preferences InnoDB
ALTER TABLE user_preferences ENGINE = InnoDB;

-- unless engine points_records InnoDB
ALTER TABLE points_records ENGINE = InnoDB;

-- unless engine users InnoDB
ALTER TABLE users ENGINE = InnoDB;

-- A points table of another shape may lack what the records need.

-- unless column points_records user_id
ALTER TABLE points_records ADD COLUMN user_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '';

-- unless column points_records points
ALTER TABLE points_records ADD COLUMN points BIGINT NOT NULL DEFAULT 0;

-- unless column points_records description
ALTER TABLE points_records ADD COLUMN description TEXT CHARACTER SET utf8mb4;

-- unless column points_records order_id
ALTER TABLE points_records ADD COLUMN order_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- unless column points_records created_at
ALTER TABLE points_records ADD COLUMN created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3);

-- unless column users created_at
ALTER TABLE users ADD COLUMN created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3);

UPDATE product_categories SET created_at = CURRENT_TIMESTAMP WHERE created_at IS NULL;

UPDATE product_categories SET updated_at = CURRENT_TIMESTAMP WHERE updated_at IS NULL;

ALTER TABLE product_categories
  MODIFY COLUMN id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN name VARCHAR(100) CHARACTER SET utf8mb4 NOT NULL,
  MODIFY COLUMN description TEXT CHARACTER SET utf8mb4,
  MODIFY COLUMN icon VARCHAR(500) CHARACTER SET utf8mb4,
  MODIFY COLUMN parent_id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  MODIFY COLUMN level BIGINT DEFAULT 1,
  MODIFY COLUMN sort_order BIGINT DEFAULT 0,
  MODIFY COLUMN created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  MODIFY COLUMN updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3);

UPDATE products SET stock_quantity = 0 WHERE stock_quantity IS NULL;

UPDATE products SET sales_count = 0 WHERE sales_count IS NULL;

UPDATE products SET created_at = CURRENT_TIMESTAMP WHERE created_at IS NULL;

UPDATE products SET updated_at = CURRENT_TIMESTAMP WHERE updated_at IS NULL;

ALTER TABLE products
  MODIFY COLUMN id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN name VARCHAR(200) CHARACTER SET utf8mb4 NOT NULL,
  MODIFY COLUMN description TEXT CHARACTER SET utf8mb4,
  MODIFY COLUMN category_id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN points_price BIGINT NOT NULL,
  MODIFY COLUMN original_price DECIMAL(22,2),
  MODIFY COLUMN stock_quantity BIGINT NOT NULL DEFAULT 0,
  MODIFY COLUMN sales_count BIGINT NOT NULL DEFAULT 0,
  MODIFY COLUMN sort_order BIGINT DEFAULT 0,
  MODIFY COLUMN created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  MODIFY COLUMN updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3);

UPDATE exchange_orders SET created_at = CURRENT_TIMESTAMP WHERE created_at IS NULL;

UPDATE exchange_orders SET updated_at = CURRENT_TIMESTAMP WHERE updated_at IS NULL;

ALTER TABLE exchange_orders
  MODIFY COLUMN id VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN order_no VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN user_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN product_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN quantity BIGINT NOT NULL,
  MODIFY COLUMN points_cost BIGINT NOT NULL,
  MODIFY COLUMN exchanged_at DATETIME(3),
  MODIFY COLUMN shipped_at DATETIME(3),
  MODIFY COLUMN delivered_at DATETIME(3),
  MODIFY COLUMN expires_at DATETIME(3) NOT NULL,
  MODIFY COLUMN created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  MODIFY COLUMN updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3);

UPDATE inventory_records SET created_at = CURRENT_TIMESTAMP WHERE created_at IS NULL;

ALTER TABLE inventory_records
  MODIFY COLUMN id VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN product_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN quantity_change BIGINT NOT NULL,
  MODIFY COLUMN stock_before BIGINT NOT NULL,
  MODIFY COLUMN stock_after BIGINT NOT NULL,
  MODIFY COLUMN related_order_id VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  MODIFY COLUMN operator_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  MODIFY COLUMN description TEXT CHARACTER SET utf8mb4,
  MODIFY COLUMN created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3);

UPDATE user_preferences SET last_updated = CURRENT_TIMESTAMP WHERE last_updated IS NULL;

ALTER TABLE user_preferences
  MODIFY COLUMN id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN user_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN last_updated DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3);

UPDATE points_records SET created_at = CURRENT_TIMESTAMP WHERE created_at IS NULL;

ALTER TABLE points_records
  MODIFY COLUMN id VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN user_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN points BIGINT NOT NULL,
  MODIFY COLUMN description TEXT CHARACTER SET utf8mb4,
  MODIFY COLUMN order_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  MODIFY COLUMN exchange_order_id VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  MODIFY COLUMN created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3);

UPDATE users SET total_exchanges = 0 WHERE total_exchanges IS NULL;

ALTER TABLE users
  MODIFY COLUMN id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  MODIFY COLUMN last_exchange_at DATETIME(3),
  MODIFY COLUMN total_exchanges BIGINT NOT NULL DEFAULT 0,
  MODIFY COLUMN created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3);
