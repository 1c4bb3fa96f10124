//! What a caller learns of units that it writes off, moves to a location of its own, and counts there.

use super::ask::{Ask, Asked, Reply};
use super::caller::Caller;

impl Caller {
    /// Takes in the clear answer to a write-off, a transfer or a count.
    pub(super) fn learn_storing(&mut self, asked: Asked, reply: &Reply) {
        match asked.ask {
            Ask::WriteOff { product, quantity } if reply.is_success() => {
                self.counts.write_offs += 1;
                self.stocks[product].written_off += quantity;
            }
            Ask::WriteOff { quantity, .. } | Ask::Transfer { quantity, is_back: false, .. }
                if reply.code == "OUT_OF_STOCK" =>
            {
                self.findings.check(reply.number("available") < quantity, || {
                    format!("{:?} was refused for what there was: {reply:?}", asked.ask)
                });
            }
            Ask::Transfer { product, quantity, is_back: false } if reply.is_success() => {
                self.counts.transfers += 1;
                self.stocks[product].written_off += quantity;
                self.stored[product] += quantity;
            }
            Ask::Transfer { product, quantity, is_back: true } => {
                let there = self.stored[product];
                let is_out = reply.code == "OUT_OF_STOCK" && reply.number("available") == there;
                match reply.is_success() && quantity <= there {
                    true => {
                        self.counts.transfers += 1;
                        self.stocks[product].received += quantity;
                        self.stored[product] -= quantity;
                    }
                    false if is_out && quantity > there => {}
                    false => self.surprise(asked, reply),
                }
            }
            Ask::Count { product, counted } if reply.is_success() => {
                self.counts.stocktakes += 1;
                self.stored[product] = counted;
                self.findings.check(reply.data["stockQuantity"] == counted, || {
                    format!("{:?} was answered {reply:?}", asked.ask)
                });
            }
            _ => self.surprise(asked, reply),
        }
    }
}
