//! What pages say, in each of their languages: one row for each phrase.

use hyper::HeaderMap;
use hyper::header::ACCEPT_LANGUAGE;

use crate::http::auth::cookie_named;
use crate::http::code::Code;
use crate::mall::OrderStatus;

/// The cookie of who has chosen a language.
pub(super) const LANGUAGE_COOKIE: &str = "stockhold_language";

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Chinese,
    English,
}

/// A row is: name, in Chinese, in English.
macro_rules! words {
    ($($name:ident $chinese:literal $english:literal;)*) => {
        /// The phrases of one language.
        #[derive(Debug)]
        pub(super) struct Words {
            pub(super) language: Language,
            $(pub(super) $name: &'static str,)*
        }

        static CHINESE: Words = Words { language: Language::Chinese, $($name: $chinese,)* };
        static ENGLISH: Words = Words { language: Language::English, $($name: $english,)* };
    };
}

words! {
    shop "积分商城" "Points mall";
    skip "跳到正文" "Skip to the content";
    home "首页" "Home";
    products "商品" "Products";
    orders "我的订单" "My orders";
    order "订单" "Order";
    points "我的积分" "My points";
    preferences "偏好" "Preferences";
    console "控制台" "Console";
    other_language "English" "中文";
    sign_in "登录" "Sign in";
    sign_out "退出登录" "Sign out";
    signed_in_as "当前用户" "Signed in as";
    search "搜索" "Search";
    search_hint "搜索商品" "Search for products";
    categories "分类" "Categories";
    all "全部" "All";
    recommended "为您推荐" "For you";
    hot "热门商品" "Popular";
    new "新品上架" "New";
    is_hot "热门" "hot";
    is_new "新品" "new";
    nothing_here "暂无内容" "There is nothing here yet.";
    no_products "没有找到商品" "No products were found.";
    more "下一页" "Next page";
    points_unit "积分" "points";
    balance "可用积分" "Points to spend";
    reserved "占用中" "Held by orders that wait";
    level "会员等级" "Level";
    expiring "即将到期" "End next";
    stock "库存" "In stock";
    sold "已兑换" "Sold";
    sold_out "已售罄" "Sold out";
    more_may_come "最早可能恢复库存的时间" "More may come back at";
    limit "每人限兑" "Limit for each user";
    worth "市场价" "Worth";
    exchange "兑换" "Exchange";
    exchange_now "立即兑换" "Exchange now";
    sale_starts "开售时间" "The sale begins at";
    starts_in "距开售" "It begins in";
    has_begun "已开售" "It has begun.";
    sale_hint "倒计时按服务器时间；到时按钮即可点击，每人结果如实告知。" "The time is the server's. The button works once it is up, and you are told what became of it.";
    to_sale "前往抢兑" "To the sale";
    see_product "商品详情" "About the product";
    sale_begins_field "开售时间（商城时区，留空为立即）" "When its sale begins, in the mall's time zone; at once when empty";
    quantity "数量" "Quantity";
    review "确认兑换" "Confirm the exchange";
    cost "所需积分" "It costs";
    left_after "兑换后剩余" "Left afterwards";
    delivery "收货信息" "Delivery";
    delivery_hint "虚拟商品可不填" "Leave it empty for vouchers.";
    recipient "收货人" "Recipient";
    phone "电话" "Phone";
    address "地址" "Address";
    pay_at_once "立即确认（否则为您保留，请在期限前确认）" "Confirm it at once; otherwise it is held for you until its deadline";
    back "返回" "Back";
    order_no "订单号" "Order number";
    status "状态" "Status";
    deadline "确认期限" "Deadline";
    confirm_order "确认订单" "Confirm the order";
    cancel_order "取消订单" "Cancel the order";
    save_delivery "保存收货信息" "Save the delivery";
    timeline "订单进度" "What happened";
    ordered "已下单" "Ordered";
    confirmed "已确认" "Confirmed";
    shipped "已发货" "Sent";
    delivered "已送达" "Arrived";
    completed "已完成" "Completed";
    cancelled "已取消" "Cancelled";
    expired "已过期" "Expired";
    returned "已退回" "Given back";
    tracking "物流单号" "Tracking number";
    records "积分明细" "What changed them";
    when "时间" "When";
    change "变动" "Change";
    after "余额" "Balance";
    why "说明" "Why";
    waiting_list "候补排队" "Waiting list";
    join_line "加入候补" "Wait for it";
    leave_line "退出候补" "Wait no longer";
    your_place "您的排位" "Your place";
    waiting "排队人数" "How many wait";
    likes "喜欢的分类" "Categories that you like";
    save "保存" "Save";
    erase "清除偏好与浏览记录" "Erase what you said and looked at";
    add_favourite "收藏" "Add to favourites";
    remove_favourite "取消收藏" "Take out of favourites";
    favourites "我的收藏" "Favourites";
    link_or_token "登录链接中的代码或令牌" "The code of a link, or a token";
    sign_in_hint "由管理员运行 stockhold token --link 生成一次性登录链接。" "Whoever runs the server makes a link for you with: stockhold token --link";
    continue_as "以此身份继续" "Continue as";
    failed "操作未完成" "That did not work";
    nothing_changed "没有产生任何变更。" "Nothing was changed.";
    unknown_outcome "结果未知：请用下面的按钮重试，同一请求不会执行两次。" "What became of it is not known. Try again with the button below: the same request never acts twice.";
    sending "正在提交…" "Sending…";
    try_again "重试同一请求" "Try again";
    unsent "未能提交，请重试：同一请求不会执行两次。" "It could not be sent. Press the button again: the same request never acts twice.";
    stale "未能刷新，以下为较早的内容。" "This could not be brought up to date: what is shown is of earlier.";
    not_known "暂时无法获取" "Not known at the moment";
    offline "网络已断开，正在用同一请求重试…" "The network is gone. Trying again with the same request…";
    board "销售看板" "Sale board";
    all_orders "全部订单" "All orders";
    products_and_stock "商品与库存" "Products and stock";
    users "用户与积分" "Users and points";
    user "用户" "User";
    reason "原因" "Reason";
    now "当前时间" "Now";
    events "已持久化事件" "Durable events";
    exchanges_lately "兑换情况" "Exchanges";
    so_far "累计" "So far";
    per_second "每秒" "A second";
    half_took "一半不超过" "Half took up to";
    most_took "99% 不超过" "99 of 100 took up to";
    longer_than "超过" "More than";
    history_behind "历史落后（事件）" "History is behind by (events)";
    success_course "最近一分钟每秒成功兑换" "Exchanges that succeeded, a second, in the last minute";
    waiting_orders "待确认订单（笔 · 件）" "Orders that wait (orders · units)";
    free "剩余磁盘" "Free disk";
    parts "系统组件" "Parts of the server";
    part "组件" "Part";
    since "自" "Since";
    still_works "仍可用" "What still works";
    well "正常" "well";
    not_well "异常" "not well";
    stock_alerts "库存告警" "Stock alerts";
    ship "发货" "Send";
    refund "退款" "Refund";
    refund_quantity "退回数量（留空为全部）" "Units to give back; all that is left when empty";
    restock "退回库存" "They can be sold again";
    on_shelf "上架" "For sale";
    yes "是" "yes";
    no "否" "no";
    written_off "已报损" "Written off";
    received "累计入库" "Received in all";
    changes "库存记录" "What changed the stock";
    what "类型" "What";
    who "操作人" "Who";
    receive "入库" "Receive";
    count "盘点为" "Count as";
    write_off "报损" "Write off";
    publish "上架" "Put on the shelf";
    withdraw "下架" "Take off the shelf";
    earned "累计获得" "Earned in all";
    award "发放" "Award";
    deduct "扣减" "Deduct";
    life "库存变化图" "Stock over time";
    lowest "最低" "lowest";
    highest "最高" "highest";
    none "无" "None";
    audit_trail "操作记录" "Who did what";
    audit_hint "此处为库存变动；积分变动见用户页，订单变动见订单页。" "These are changes of stock. Those of points are with their user, those of an order with the order.";
    product_number "商品编号" "Product id";
    copies "镜像与备份" "Mirror and backups";
    mirror "报表镜像" "Mirror";
    shows_up_to "已同步至事件" "Shows events up to";
    lag "落后（事件 · 时间）" "Behind by (events · time)";
    rejected_rows "被数据库拒绝的行" "Rows that the database refused";
    kept_for_it "为其保留的日志" "Journal kept for it";
    last_error "最近错误" "Last error";
    backups "备份" "Backups";
    last_run "最近完成" "Last whole run began";
    no_run "尚未完成过" "None was whole yet";
    every "运行间隔" "Runs every";
    would_be_lost "整机丢失时将损失最近" "Would be lost with the machine";
    failed_runs "连续失败次数" "Runs that failed since";
    verified "校验" "Verifying";
    verify_hint "服务器不自行校验，请运行" "The server does not do so by itself. Run";
    claims "日志跟随者" "Followers of the journal";
    claims_hint "在其读取之前，日志不会被清理。" "What they have not read is kept.";
    replicas "副本" "Replicas";
    sagas "积分未结算订单" "Points not settled";
    points_service "外部积分服务" "Points service";
    points_kept_here "无：积分由本系统保存" "None: points are kept here";
    waiting_sagas "未结算订单" "Orders not settled";
    take_unknown "扣减结果未知" "Not known whether points were taken";
    take_taken "积分已扣减" "Points were taken";
    take_refused "积分扣减被拒绝" "Points were refused";
    take_closed "已作废" "Closed";
    waits_for_user "等待用户确认" "waits for its user";
    tries "尝试次数" "Tries";
    next_try "下次尝试" "next in";
    retry "立即重试" "Try now";
    compensate "放弃并退回积分" "Give up, and give points back";
    webhooks "Webhook" "Webhooks";
    message "消息" "Message";
    is_on "启用" "on";
    is_off "停用" "off";
    messages_waiting "待投递" "Waiting";
    messages_delivered "已投递" "Delivered";
    failed_attempts "失败尝试" "Attempts that failed";
    dead_letters "死信" "Given up";
    no_longer_kept "已不再保留" "no longer kept:";
    redeliver "重新投递" "Deliver again";
    redeliver_all "全部重新投递" "Deliver all again";
    settings "生效设置" "Settings";
    settings_hint "为启动时读取的设置；密钥不显示。" "As the server read them when it began. Secrets are not shown.";
    setting "设置" "Setting";
    value "值" "Value";
    said_by "来源" "From";
    many_orders "批量处理订单" "Many orders";
    dispatch_hint "每行一个订单：order 为订单号，do 为 ship、deliver 或 complete；最多 500 行，逐行执行，重复提交不会重复执行。" "One order on each row: order is its number, do is ship, deliver or complete. Up to 500 rows, each on its own; sent twice, nothing is done twice.";
    rows "表格（CSV，首行为列名）" "The table, as CSV with names in its first line";
    file "从文件读取" "Read it from a file";
    carry_out "执行" "Carry it out";
    rows_done "已完成" "Done:";
    rows_refused "未执行" "Refused:";
    outcomes "逐行结果" "What became of each row";
    outcome "结果" "Outcome";
    line "行" "Line";
    no_such_order "订单不存在" "There is no such order.";
    waiting_lists "候补队列" "Waiting lists";
    place "排位" "Place";
    wait_minutes "预计等待（分钟）" "Minutes to wait, as far as that is known";
    reports "报表" "Reports";
    report "报表" "Report of";
    day "日期" "A day";
    week "周" "A week";
    not_over "尚未结束，统计至" "It is not over. What is shown is up to";
    exchanges_by_time "兑换趋势" "Exchanges by time";
    products_by_units "热门商品（件）" "Products by units";
    plot_told "下方表格列出全部数值。" "The table below has all of it.";
    plot_table "表格" "table";
    exchanges "兑换笔数" "Exchanges";
    refunds "退款次数" "Refunds";
    units "件数" "Units";
    units_returned "退回件数" "Units given back";
    points_consumed "消耗积分" "Points spent";
    points_returned "退回积分" "Points given back";
    users_exchanging "兑换人数" "Users who exchanged something";
    experiments "推荐实验" "Experiments";
    interval_hint "括号内为 95% 置信区间。" "In parentheses is the interval that holds the true value in 95 of 100 experiments.";
    ended "结束于" "ended";
    running "进行中" "running";
    not_all_counted "人数超出上限，部分未计入。" "More users saw it than are counted.";
    variant "分组" "Variant";
    exposed "曝光人数" "Users who saw it";
    converted "兑换人数" "Users who exchanged";
    rate "转化率" "Rate";
    difference "与对照组之差" "Above the first";
    import_export "导入与导出" "Import and export";
    export "导出全部（CSV）" "Export all as CSV";
    import "导入" "Import";
    import_hint "列与导出文件相同；有一行有误则全部不写入。" "The columns are those of the export. One line that is wrong refuses all of them.";
    look_only "仅检查" "Only look";
    would_be_written "将写入" "Would be written:";
    written "已写入" "Written:";
    unchanged "未变化" "Unchanged:";
    reloading "刷新中…" "Loading…";
    pull "下拉刷新" "Pull to load anew";
}

impl Words {
    /// Those that a client has chosen, or else says that it understands best.
    pub(super) fn of(headers: &HeaderMap) -> &'static Self {
        let chosen = cookie_named(headers, LANGUAGE_COOKIE).and_then(Language::named);
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let language = chosen.or_else(|| accepted.and_then(Language::accepted));
        language.unwrap_or(Language::Chinese).words()
    }

    /// What a shopper is told of a code.
    pub(super) fn of_code(&self, code: Code) -> &'static str {
        match self.language {
            Language::Chinese => code.row().message,
            Language::English => english(code),
        }
    }

    pub(super) fn of_status(&self, status: OrderStatus) -> &'static str {
        let chinese = self.language == Language::Chinese;
        match status {
            OrderStatus::Pending if chinese => "待确认",
            OrderStatus::Pending => "Waits for you to confirm it",
            OrderStatus::Confirmed => self.confirmed,
            OrderStatus::Shipped => self.shipped,
            OrderStatus::Completed => self.completed,
            OrderStatus::Cancelled => self.cancelled,
            OrderStatus::Expired => self.expired,
        }
    }
}

impl Language {
    /// As HTML names it.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Chinese => Self::English,
            Self::English => Self::Chinese,
        }
    }

    pub(super) fn words(self) -> &'static Words {
        match self {
            Self::Chinese => &CHINESE,
            Self::English => &ENGLISH,
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        let primary = name.split('-').next().unwrap_or_default().trim();
        match primary {
            _ if primary.eq_ignore_ascii_case("zh") => Some(Self::Chinese),
            _ if primary.eq_ignore_ascii_case("en") => Some(Self::English),
            _ => None,
        }
    }

    /// The first of a list that is one of ours: browsers name the best first.
    fn accepted(list: &str) -> Option<Self> {
        list.split(',').find_map(|range| Self::named(range.split(';').next().unwrap_or_default()))
    }
}

fn english(code: Code) -> &'static str {
    match code {
        Code::Unauthorized => "You are not signed in.",
        Code::Forbidden => "You may not do this.",
        Code::NotFound => "There is no such page.",
        Code::ProductNotFound => "This product is not for sale.",
        Code::OrderNotFound => "You have no such order.",
        Code::SaleNotStarted => "The sale has not begun.",
        Code::OutOfStock => "It is sold out.",
        Code::InsufficientPoints => "You have too few points.",
        Code::LimitExceeded => "That is more than one user may have.",
        Code::OrderState => "The order is in a state that does not allow it.",
        Code::ReservationExpired => "The deadline of the order has passed.",
        Code::IdempotencyConflict => {
            "This form was sent before, with other contents. Look at your orders."
        }
        Code::RateLimited => "Too many requests. Try again in a moment.",
        Code::Overloaded => "We are busy. Try again in a moment.",
        other => other.row().when,
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{COOKIE, HeaderValue};

    use super::*;

    #[test]
    fn a_page_speaks_as_was_chosen_or_is_understood() {
        for (cookie, accept, language) in [
            ("", "", Language::Chinese),
            ("", "de, en;q=0.8, zh;q=0.5", Language::English),
            ("", "ZH-TW", Language::Chinese),
            ("stockhold_language=en", "zh", Language::English),
            ("stockhold_language=xx", "en", Language::English),
            ("", "english", Language::Chinese),
        ] {
            let headers = HeaderMap::from_iter([
                (COOKIE, HeaderValue::from_static(cookie)),
                (ACCEPT_LANGUAGE, HeaderValue::from_static(accept)),
            ]);
            assert_eq!(Words::of(&headers).language, language, "{cookie:?} {accept:?}");
        }
    }
}
