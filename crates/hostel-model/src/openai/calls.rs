//! Which call a piece of a call belongs to.
//!
//! By the documentation every piece has an index, and the first one an id and a name. Gateways send no index, or 0 for all,
//! or no id, or the name again and again, or the whole call at once.

use serde_json::Value;

use super::chunk::{CallDelta, FunctionDelta};
use crate::assemble::{Assembler, CallIndex};

#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Slot>);

#[derive(Debug)]
struct Slot {
    index: Option<u64>,
    id: Option<String>,
    at: Place,
}

#[derive(Debug)]
enum Place {
    /// Its name is not known; what came of its input.
    Unnamed(String),
    Begun(CallIndex),
}

impl Calls {
    pub(super) fn take(&mut self, delta: CallDelta, out: &mut Assembler) {
        let FunctionDelta { name, arguments } = delta.function.unwrap_or_default();
        let (name, id) = (name.filter(|name| !name.is_empty()), delta.id.filter(|id| !id.is_empty()));
        let slot = self.slot(delta.index, id, name.is_some());
        let input = match arguments {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(whole) => whole.to_string(),
        };
        match (&mut slot.at, name) {
            (Place::Begun(at), _) => out.call_input(*at, input),
            (Place::Unnamed(before), None) => before.push_str(&input),
            (Place::Unnamed(before), Some(name)) => {
                let input = std::mem::take(before) + &input;
                let at = out.call(slot.id.clone(), name);
                out.call_input(at, input);
                slot.at = Place::Begun(at);
            }
        }
    }

    fn slot(&mut self, index: Option<u64>, id: Option<String>, is_named: bool) -> &mut Slot {
        let found = match (index, &id) {
            (Some(_), _) => self.0.iter().rposition(|slot| slot.index == index),
            (None, Some(id)) => self.0.iter().rposition(|slot| slot.id.as_ref() == Some(id)),
            (None, None) => self.0.len().checked_sub(1).filter(|_| !is_named),
        };
        let other_call = |slot: &Slot| is_named && id.is_some() && slot.id.is_some() && slot.id != id;
        let found = found.filter(|at| !other_call(&self.0[*at]));
        let at = found.unwrap_or_else(|| {
            self.0.push(Slot { index, id: id.clone(), at: Place::Unnamed(String::new()) });
            self.0.len() - 1
        });
        let slot = &mut self.0[at];
        slot.id = slot.id.take().or(id);
        slot
    }
}
