-- The tables that `stockhold mirror migrate` makes in an empty database.
-- Written from the tables in src/sink/mysql/tables; a test holds it to them.

CREATE TABLE product_categories (
  id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  name VARCHAR(100) CHARACTER SET utf8mb4 NOT NULL,
  description TEXT CHARACTER SET utf8mb4 NULL,
  icon VARCHAR(500) CHARACTER SET utf8mb4 NULL,
  parent_id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  level BIGINT NULL DEFAULT 1,
  sort_order BIGINT NULL DEFAULT 0,
  status BOOLEAN NULL DEFAULT 1, -- whether it is shown; 0 once it is removed
  created_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  updated_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  updated_by VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, -- the last operator who wrote it, or removed it
  seq BIGINT UNSIGNED NULL, -- the event it is as of; null in rows that are not the mirror's
  PRIMARY KEY (id),
  INDEX idx_parent_id (parent_id),
  INDEX idx_level (level),
  INDEX idx_sort_order (sort_order),
  INDEX idx_status (status)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE products (
  id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  name VARCHAR(200) CHARACTER SET utf8mb4 NOT NULL,
  description TEXT CHARACTER SET utf8mb4 NULL,
  category_id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  points_price BIGINT NOT NULL, -- what one unit costs, in points
  original_price DECIMAL(22,2) NULL,
  stock_quantity BIGINT NOT NULL DEFAULT 0, -- what can be bought
  sales_count BIGINT NOT NULL DEFAULT 0, -- units of orders that stand
  last_received_at DATETIME(3) NULL, -- when units came in last
  images JSON NULL,
  specifications JSON NULL,
  is_hot BOOLEAN NULL DEFAULT FALSE,
  is_new BOOLEAN NULL DEFAULT FALSE,
  status BOOLEAN NULL DEFAULT 1, -- whether it is for sale
  sort_order BIGINT NULL DEFAULT 0,
  limit_per_user JSON NULL, -- how many units one user may have
  by_level JSON NULL, -- price and limit from a level of members on, where they are not as for everybody
  low_stock_threshold BIGINT NULL, -- operators are told when no more units than that can be bought
  waiting_places BIGINT NULL, -- how many may wait in line when it is sold out; NULL is as the server says
  sale_starts_at DATETIME(3) NULL, -- nobody gets it before then
  created_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  updated_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  updated_by VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, -- the last operator who wrote its document, or removed it
  seq BIGINT UNSIGNED NULL, -- the event it is as of; null in rows that are not the mirror's
  PRIMARY KEY (id),
  INDEX idx_category_id (category_id),
  INDEX idx_points_price (points_price),
  INDEX idx_status (status),
  INDEX idx_is_hot (is_hot),
  INDEX idx_is_new (is_new),
  INDEX idx_sales_count (sales_count),
  INDEX idx_sort_order (sort_order)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE exchange_orders (
  id VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  order_no VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL UNIQUE,
  user_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  product_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  product_snapshot JSON NOT NULL, -- the product as it was ordered
  quantity BIGINT NOT NULL,
  points_cost BIGINT NOT NULL,
  status TINYINT NULL DEFAULT 0, -- 0 waiting, 1 confirmed, 2 shipped, 3 completed, -1 cancelled or expired
  delivery_info JSON NULL, -- where it goes by now
  tracking_no VARCHAR(100) CHARACTER SET utf8mb4 NULL,
  delivery_status TINYINT NULL DEFAULT 0, -- 0 not sent, 1 under way, 2 delivered
  exchanged_at DATETIME(3) NULL, -- when it was confirmed
  shipped_at DATETIME(3) NULL,
  delivered_at DATETIME(3) NULL,
  expires_at DATETIME(3) NOT NULL,
  created_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  updated_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  state VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, -- where it stands, in a word
  cancelled_at DATETIME(3) NULL, -- when it was given up, returned or expired
  carrier VARCHAR(64) CHARACTER SET utf8mb4 NULL, -- who carries it
  completed_at DATETIME(3) NULL,
  returned_quantity BIGINT NULL, -- how many units went back, where they did in parts
  returned_points BIGINT NULL, -- how many points went back, where they did in parts
  service_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, -- which service made it in its user's name
  items JSON NULL, -- the products of a basket; null where the order is of one
  seq BIGINT UNSIGNED NULL, -- the event it is as of; null in rows that are not the mirror's
  PRIMARY KEY (id),
  INDEX idx_order_no (order_no),
  INDEX idx_user_id (user_id),
  INDEX idx_product_id (product_id),
  INDEX idx_status (status),
  INDEX idx_expires_at (expires_at),
  INDEX idx_created_at (created_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE inventory_records (
  id VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, -- event and account, so that it sorts as things happened; _ and a number behind the first of several
  product_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  change_type TINYINT NOT NULL, -- 1 in, 2 out, 3 reserved, 4 given back, 5 adjusted
  quantity_change BIGINT NOT NULL, -- by how much what can be bought changed; 0 for a confirm of what was reserved
  stock_before BIGINT NOT NULL,
  stock_after BIGINT NOT NULL,
  related_order_id VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  operator_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, -- who changed it, where somebody did
  description TEXT CHARACTER SET utf8mb4 NULL,
  created_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  quantity BIGINT NOT NULL DEFAULT 0, -- how many units it is about
  location VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, -- where the units are that it is about; null for those that are for sale
  seq BIGINT UNSIGNED NULL, -- the event it is as of; null in rows that are not the mirror's
  PRIMARY KEY (id),
  INDEX idx_product_id (product_id),
  INDEX idx_change_type (change_type),
  INDEX idx_related_order_id (related_order_id),
  INDEX idx_created_at (created_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE points_records (
  id VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, -- event and account, so that it sorts as things happened; _ and a number behind the first of several
  user_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  points BIGINT NOT NULL,
  source ENUM('payment_reward', 'admin_adjust', 'mall_consumption', 'mall_refund', 'expire_deduct', 'invite_reward') NULL DEFAULT 'payment_reward',
  description TEXT CHARACTER SET utf8mb4 NULL,
  order_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, -- that of the mall, or of another system, as whoever moved the points named it
  created_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  exchange_order_id VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  balance_before BIGINT NOT NULL DEFAULT 0,
  balance_after BIGINT NOT NULL DEFAULT 0,
  operator_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, -- who changed it, where somebody did
  seq BIGINT UNSIGNED NULL, -- the event it is as of; null in rows that are not the mirror's
  PRIMARY KEY (id),
  INDEX idx_user_id (user_id),
  INDEX idx_source (source),
  INDEX idx_created_at (created_at),
  INDEX idx_exchange_order_id (exchange_order_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE users (
  id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  mall_level TINYINT NULL DEFAULT 1,
  last_exchange_at DATETIME(3) NULL,
  total_exchanges BIGINT NOT NULL DEFAULT 0, -- exchanges that stand
  favorite_categories JSON NULL,
  points_balance BIGINT NOT NULL DEFAULT 0, -- what can be spent
  points_reserved BIGINT NULL, -- what waiting orders hold
  earned_points BIGINT NULL, -- what was ever earned; by it, `mall_levels` says the level
  seq BIGINT UNSIGNED NULL, -- the event it is as of; null in rows that are not the mirror's
  PRIMARY KEY (id),
  INDEX idx_mall_level (mall_level),
  INDEX idx_last_exchange_at (last_exchange_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE user_preferences (
  id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  user_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL UNIQUE, -- as `id`
  category_preferences JSON NULL, -- weights from 0 to 1, by the ids of categories
  price_sensitivity DECIMAL(3,2) NULL, -- 0 to 1
  brand_preferences JSON NULL,
  browsing_history JSON NULL, -- the products that were looked at last, the newest first
  exchange_history JSON NULL,
  last_updated DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  favourites JSON NULL, -- products that the user has marked, the newest first
  seq BIGINT UNSIGNED NULL, -- the event it is as of; null in rows that are not the mirror's
  PRIMARY KEY (id),
  INDEX idx_last_updated (last_updated)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE mall_levels (
  id VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  level TINYINT NOT NULL,
  name VARCHAR(100) CHARACTER SET utf8mb4 NOT NULL,
  earned_points BIGINT NULL, -- who has earned so many has it; null once there is no such level
  seq BIGINT UNSIGNED NULL, -- the event it is as of; null in rows that are not the mirror's
  PRIMARY KEY (id),
  INDEX idx_earned_points (earned_points)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE mirror_state (
  id TINYINT NOT NULL,
  ledger_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  phase VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  epoch BIGINT UNSIGNED NOT NULL,
  watermark BIGINT UNSIGNED NOT NULL,
  mark BIGINT UNSIGNED NOT NULL,
  event_at DATETIME(3) NULL,
  mirrored_at DATETIME(3) NULL,
  rejected BIGINT UNSIGNED NOT NULL DEFAULT 0,
  reload_from BIGINT UNSIGNED NULL,
  reload_to BIGINT UNSIGNED NULL,
  last_error TEXT CHARACTER SET utf8mb4 NULL,
  last_error_at DATETIME(3) NULL,
  PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE mirror_rejected (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  table_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  row_id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  content LONGTEXT CHARACTER SET utf8mb4 NOT NULL,
  reason TEXT CHARACTER SET utf8mb4 NOT NULL,
  rejected_at DATETIME(3) NOT NULL,
  PRIMARY KEY (id),
  INDEX idx_seq (seq)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
