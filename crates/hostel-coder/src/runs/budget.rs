//! What may be taken: steps, tokens, money, time.

use hostel::JsonSchema;
use serde::{Deserialize, Serialize};

/// What may be taken, or was. What is not said is not limited.
///
/// ```
/// use hostel_coder::Budget;
///
/// let asked = Budget { steps: Some(500), cost: Some(1.0), ..Budget::default() };
/// let most = Budget { steps: Some(200), seconds: Some(3600), ..Budget::default() };
/// let both = asked.within(&most);
/// assert_eq!((both.steps, both.cost, both.seconds), (Some(200), Some(1.0), Some(3600)));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Budget {
    /// How often a model is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Tokens, those of requests and those of answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Money, in the currency of the models' prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

impl Budget {
    /// The lesser of both, number by number.
    #[must_use]
    pub fn within(&self, most: &Self) -> Self {
        fn least<T: PartialOrd>(one: Option<T>, two: Option<T>) -> Option<T> {
            match (one, two) {
                (Some(one), Some(two)) => Some(if two < one { two } else { one }),
                (one, two) => one.or(two),
            }
        }
        Self {
            steps: least(self.steps, most.steps),
            tokens: least(self.tokens, most.tokens),
            cost: least(self.cost, most.cost),
            seconds: least(self.seconds, most.seconds),
        }
    }

    /// Both together.
    pub(crate) fn plus(&self, more: &Self) -> Self {
        let number = |one: Option<u64>, two: Option<u64>| one.map(|one| one.saturating_add(two.unwrap_or(0))).or(two);
        Self {
            steps: number(self.steps, more.steps),
            tokens: number(self.tokens, more.tokens),
            cost: self.cost.map(|cost| cost + more.cost.unwrap_or(0.0)).or(more.cost),
            seconds: number(self.seconds, more.seconds),
        }
    }

    /// What of it is more than `before`: nothing that was counted is counted again.
    pub(crate) fn beyond(&self, before: &Self) -> Self {
        let more = self.less(before);
        Self {
            steps: more.steps.filter(|more| *more > 0),
            tokens: more.tokens.filter(|more| *more > 0),
            cost: more.cost.filter(|more| *more > 0.0),
            seconds: None,
        }
    }

    /// What is left of it.
    pub(crate) fn less(&self, used: &Self) -> Self {
        let number = |most: Option<u64>, used: Option<u64>| most.map(|most| most.saturating_sub(used.unwrap_or(0)));
        Self {
            steps: number(self.steps, used.steps),
            tokens: number(self.tokens, used.tokens),
            cost: self.cost.map(|most| (most - used.cost.unwrap_or(0.0)).max(0.0)),
            seconds: number(self.seconds, used.seconds),
        }
    }

    /// What of it is used up, in words.
    pub(crate) fn used_up(&self, used: &Self) -> Option<String> {
        let number = |most: Option<u64>, used: Option<u64>, what: &str| {
            let (most, used) = (most?, used.unwrap_or(0));
            (used >= most).then(|| format!("{used} of {most} {what}"))
        };
        number(self.steps, used.steps, "steps")
            .or_else(|| number(self.tokens, used.tokens, "tokens"))
            .or_else(|| {
                let (most, used) = (self.cost?, used.cost.unwrap_or(0.0));
                (used >= most).then(|| format!("{used:.2} of {most:.2} in money"))
            })
            .or_else(|| number(self.seconds, used.seconds, "seconds"))
    }

    pub(crate) fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// In a few words.
    pub(crate) fn in_words(&self, used: &Self) -> String {
        let number = |most: Option<u64>, used: Option<u64>, what: &str| {
            most.map(|most| format!("{} of {most} {what}", used.unwrap_or(0)))
        };
        let money = self.cost.map(|most| format!("{:.2} of {most:.2} in money", used.cost.unwrap_or(0.0)));
        let all = [
            number(self.steps, used.steps, "steps"),
            number(self.tokens, used.tokens, "tokens"),
            money,
            number(self.seconds, used.seconds, "seconds"),
        ];
        let all: Vec<String> = all.into_iter().flatten().collect();
        if all.is_empty() { "no limit".to_owned() } else { all.join(", ") }
    }
}

/// What the operator allows at most: for one turn of the chat, and for an autonomous run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budgets {
    /// For one turn, whoever asked for it.
    pub turn: Budget,
    /// For a run, whatever was asked for.
    pub run: Budget,
}

impl Default for Budgets {
    /// Turns as they are; 500 steps and 12 hours for a run.
    fn default() -> Self {
        let run = Budget { steps: Some(500), seconds: Some(12 * 60 * 60), ..Budget::default() };
        Self { turn: Budget::default(), run }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_used_up_when_any_of_it_is() {
        let most = Budget { steps: Some(3), cost: Some(0.5), ..Budget::default() };
        let used = |steps, cost| Budget { steps: Some(steps), cost: Some(cost), ..Budget::default() };
        assert_eq!(most.used_up(&used(2, 0.4)), None);
        assert_eq!(most.used_up(&used(3, 0.4)).unwrap(), "3 of 3 steps");
        assert_eq!(most.used_up(&used(2, 0.5)).unwrap(), "0.50 of 0.50 in money");
        assert_eq!(Budget::default().used_up(&used(9, 9.0)), None);
    }

    #[test]
    fn what_was_counted_is_not_counted_again() {
        let used = |steps, cost| Budget { steps: Some(steps), cost: Some(cost), ..Budget::default() };
        let (mut counted, mut all) = (Budget::default(), Budget::default());
        for told in [used(2, 0.5), used(2, 0.5), used(5, 0.75), used(3, 0.5)] {
            let more = told.beyond(&counted);
            counted = counted.plus(&more);
            all = all.plus(&more);
        }
        assert_eq!((counted, all), (used(5, 0.75), used(5, 0.75)));
        assert_eq!(used(5, 1.0).less(&used(7, 0.25)), used(0, 0.75));
    }
}
