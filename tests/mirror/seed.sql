-- The mall's tables and data as its document has them, before there was a mirror. `users` and `points_records` are older
-- than the document: here they are as it finds them.
CREATE TABLE users (
  id VARCHAR(36) PRIMARY KEY,
  nickname VARCHAR(50),
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE points_records (
  id VARCHAR(36) PRIMARY KEY,
  user_id VARCHAR(36) NOT NULL,
  points INT NOT NULL,
  source ENUM('payment_reward', 'admin_adjust', 'expire_deduct') DEFAULT 'payment_reward',
  description VARCHAR(200),
  order_id VARCHAR(36),
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  INDEX idx_user_id (user_id)
);
CREATE TABLE product_categories (
  id VARCHAR(36) PRIMARY KEY,
  name VARCHAR(100) NOT NULL,
  description TEXT,
  icon VARCHAR(500),
  parent_id VARCHAR(36),
  level INT DEFAULT 1,
  sort_order INT DEFAULT 0,
  status TINYINT DEFAULT 1,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  INDEX idx_parent_id (parent_id),
  INDEX idx_level (level),
  INDEX idx_sort_order (sort_order),
  INDEX idx_status (status)
);
CREATE TABLE products (
  id VARCHAR(36) PRIMARY KEY,
  name VARCHAR(200) NOT NULL,
  description TEXT,
  category_id VARCHAR(36) NOT NULL,
  points_price INT NOT NULL,
  original_price DECIMAL(10,2),
  stock_quantity INT DEFAULT 0,
  sales_count INT DEFAULT 0,
  images JSON,
  specifications JSON,
  is_hot BOOLEAN DEFAULT FALSE,
  is_new BOOLEAN DEFAULT FALSE,
  status TINYINT DEFAULT 1,
  sort_order INT DEFAULT 0,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  INDEX idx_category_id (category_id),
  INDEX idx_points_price (points_price),
  INDEX idx_status (status),
  INDEX idx_is_hot (is_hot),
  INDEX idx_is_new (is_new),
  INDEX idx_sales_count (sales_count),
  INDEX idx_sort_order (sort_order)
);
CREATE TABLE exchange_orders (
  id VARCHAR(36) PRIMARY KEY,
  order_no VARCHAR(32) UNIQUE NOT NULL,
  user_id VARCHAR(36) NOT NULL,
  product_id VARCHAR(36) NOT NULL,
  product_snapshot JSON NOT NULL,
  quantity INT NOT NULL,
  points_cost INT NOT NULL,
  status TINYINT DEFAULT 0,
  delivery_info JSON,
  tracking_no VARCHAR(100),
  delivery_status TINYINT DEFAULT 0,
  exchanged_at TIMESTAMP NULL,
  shipped_at TIMESTAMP NULL,
  delivered_at TIMESTAMP NULL,
  expires_at TIMESTAMP NOT NULL,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  INDEX idx_order_no (order_no),
  INDEX idx_user_id (user_id),
  INDEX idx_product_id (product_id),
  INDEX idx_status (status),
  INDEX idx_expires_at (expires_at),
  INDEX idx_created_at (created_at)
);
CREATE TABLE inventory_records (
  id VARCHAR(36) PRIMARY KEY,
  product_id VARCHAR(36) NOT NULL,
  change_type TINYINT NOT NULL,
  quantity_change INT NOT NULL,
  stock_before INT NOT NULL,
  stock_after INT NOT NULL,
  related_order_id VARCHAR(36),
  operator_id VARCHAR(36),
  description VARCHAR(200),
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  INDEX idx_product_id (product_id),
  INDEX idx_change_type (change_type),
  INDEX idx_related_order_id (related_order_id),
  INDEX idx_created_at (created_at)
);
CREATE TABLE user_preferences (
  id VARCHAR(36) PRIMARY KEY,
  user_id VARCHAR(36) NOT NULL,
  category_preferences JSON,
  price_sensitivity DECIMAL(3,2),
  brand_preferences JSON,
  browsing_history JSON,
  exchange_history JSON,
  last_updated TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  UNIQUE KEY uk_user_id (user_id),
  INDEX idx_last_updated (last_updated)
);
INSERT INTO product_categories (id, name, description, icon, level, sort_order) VALUES
('cat_digital', '数码产品', '手机、电脑、智能设备', '/icons/digital.png', 1, 1),
('cat_garden', '园艺', '花草', NULL, 1, 9);
INSERT INTO products
(id, name, description, category_id, points_price, original_price, stock_quantity, is_hot, is_new) VALUES
('prod_movie', '电影票通用券', '全国影院通用', 'cat_entertainment', 4500, 45.00, 2000, false, true),
('prod_spade', '铲子', '一把', 'cat_garden', 100, 1.00, 7, false, false);
INSERT INTO users (id, nickname, created_at) VALUES
('old-user', '老用户', '2024-12-24 10:00:00'), ('buyer-1', '买家', '2024-12-24 10:00:00');
INSERT INTO points_records (id, user_id, points, source, description, created_at) VALUES
('old-points', 'old-user', 500, 'payment_reward', '支付奖励', '2024-12-24 10:00:00');
INSERT INTO exchange_orders
(id, order_no, user_id, product_id, product_snapshot, quantity, points_cost, status, expires_at, created_at) VALUES
('old-order', 'EX1', 'old-user', 'prod_spade', '{"id":"prod_spade"}', 2, 200, 3, '2024-12-24 10:15:00', '2024-12-24 10:00:00');
INSERT INTO inventory_records
(id, product_id, change_type, quantity_change, stock_before, stock_after, related_order_id, created_at) VALUES
('old-change', 'prod_spade', 2, -2, 9, 7, 'old-order', '2024-12-24 10:00:00');
INSERT INTO user_preferences (id, user_id, price_sensitivity) VALUES ('old-preference', 'old-user', 0.50);
