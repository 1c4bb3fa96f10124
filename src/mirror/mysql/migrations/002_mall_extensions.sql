-- What the mall's document adds to the tables that were there before it.

-- unless column points_records exchange_order_id
ALTER TABLE points_records ADD COLUMN exchange_order_id VARCHAR(36);

-- unless index points_records idx_exchange_order_id
ALTER TABLE points_records ADD INDEX idx_exchange_order_id (exchange_order_id);

ALTER TABLE points_records MODIFY COLUMN source ENUM(
  'payment_reward', 'admin_adjust', 'mall_consumption', 'mall_refund', 'expire_deduct', 'invite_reward'
) DEFAULT 'payment_reward';

-- unless column users mall_level
ALTER TABLE users ADD COLUMN mall_level TINYINT DEFAULT 1;

-- unless column users last_exchange_at
ALTER TABLE users ADD COLUMN last_exchange_at TIMESTAMP NULL;

-- unless column users total_exchanges
ALTER TABLE users ADD COLUMN total_exchanges INT DEFAULT 0;

-- unless column users favorite_categories
ALTER TABLE users ADD COLUMN favorite_categories JSON;

-- unless index users idx_mall_level
ALTER TABLE users ADD INDEX idx_mall_level (mall_level);

-- unless index users idx_last_exchange_at
ALTER TABLE users ADD INDEX idx_last_exchange_at (last_exchange_at);
