//! The acceptance tests of the mall's own document, named after it, over real HTTP:
//!
//! | in the document | here |
//! |---|---|
//! | 完整兑换流程测试 | `complete_exchange_flow` |
//! | 并发兑换测试 | `concurrent_exchange` |
//! | 服务故障恢复测试 | `service_failure_recovery` |
//! | 商品管理: 应该能够获取商品列表, 应该能够按分类筛选商品 | `product_management` |
//! | 兑换流程: 应该能够成功兑换商品 | `exchange_flow` |
//! | 性能测试, its checks of one answer | `product_management`; its load is `scripts/load` |

mod complete_exchange_flow;
mod concurrent_exchange;
mod exchange_flow;
mod product_management;
mod service_failure_recovery;
