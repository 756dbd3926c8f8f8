//! What an answer took, in tokens and in money.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// What an answer took. A number nobody told is `None`, not 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Usage {
    /// Tokens of the request, cached ones included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Those of them that the provider had kept from before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_input_tokens: Option<u64>,
    /// Those of them that the provider now keeps for later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// Tokens of the answer, thoughts included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Those of them that were thought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// What it cost: told by the provider, or made from the configured [`Price`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

impl Usage {
    /// Tokens of request and answer; what is not known counts nothing.
    pub fn total_tokens(&self) -> u64 {
        self.input_tokens.unwrap_or(0).saturating_add(self.output_tokens.unwrap_or(0))
    }
}

impl AddAssign for Usage {
    /// Adds up: a number is known as soon as one of both is.
    fn add_assign(&mut self, other: Self) {
        fn add(to: &mut Option<u64>, more: Option<u64>) {
            *to = match (*to, more) {
                (Some(one), Some(two)) => Some(one.saturating_add(two)),
                (one, two) => one.or(two),
            };
        }
        add(&mut self.input_tokens, other.input_tokens);
        add(&mut self.cached_input_tokens, other.cached_input_tokens);
        add(&mut self.cache_write_tokens, other.cache_write_tokens);
        add(&mut self.output_tokens, other.output_tokens);
        add(&mut self.reasoning_tokens, other.reasoning_tokens);
        self.cost = match (self.cost, other.cost) {
            (Some(one), Some(two)) => Some(one + two),
            (one, two) => one.or(two),
        };
    }
}

/// What a million tokens cost, in whatever currency the configuration thinks in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Of the request.
    pub input: f64,
    /// Of the answer.
    pub output: f64,
    /// Of the request, where the provider had kept it. Default: as `input`.
    #[serde(default)]
    pub cached_input: Option<f64>,
    /// Of the request, where the provider keeps it for later. Default: as `input`.
    #[serde(default)]
    pub cache_write: Option<f64>,
}

impl Price {
    /// What this much costs; `None` if the provider told no tokens.
    ///
    /// ```
    /// use hostel_model::{Price, Usage};
    ///
    /// let price = Price { input: 3.0, output: 15.0, ..Price::default() };
    /// let mut usage = Usage::default();
    /// assert_eq!(price.of(&usage), None);
    /// (usage.input_tokens, usage.output_tokens) = (Some(1_000_000), Some(100_000));
    /// assert_eq!(price.of(&usage), Some(4.5));
    /// ```
    pub fn of(&self, usage: &Usage) -> Option<f64> {
        if usage.input_tokens.is_none() && usage.output_tokens.is_none() {
            return None;
        }
        let (cached, written) = (usage.cached_input_tokens.unwrap_or(0), usage.cache_write_tokens.unwrap_or(0));
        let plain = usage.input_tokens.unwrap_or(0).saturating_sub(cached).saturating_sub(written);
        let rows = [
            (plain, self.input),
            (cached, self.cached_input.unwrap_or(self.input)),
            (written, self.cache_write.unwrap_or(self.input)),
            (usage.output_tokens.unwrap_or(0), self.output),
        ];
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 tokens")]
        let cost = rows.iter().map(|(tokens, price)| *tokens as f64 * price).sum::<f64>() / 1e6;
        Some(cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_have_their_own_price_and_are_not_paid_twice() {
        let price = Price { input: 4.0, output: 0.0, cached_input: Some(1.0), cache_write: Some(5.0) };
        let usage = Usage {
            input_tokens: Some(10_000_000),
            cached_input_tokens: Some(6_000_000),
            cache_write_tokens: Some(1_000_000),
            ..Usage::default()
        };
        assert_eq!(price.of(&usage), Some(12.0 + 6.0 + 5.0));
    }

    #[test]
    fn sums_keep_what_only_one_side_knows() {
        let mut sum = Usage { input_tokens: Some(1), ..Usage::default() };
        sum += Usage { input_tokens: Some(2), output_tokens: Some(5), cost: Some(0.5), ..Usage::default() };
        assert_eq!((sum.input_tokens, sum.output_tokens, sum.cost), (Some(3), Some(5), Some(0.5)));
        assert_eq!(sum.reasoning_tokens, None);
        assert_eq!(sum.total_tokens(), 8);
    }
}
