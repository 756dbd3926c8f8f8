//! Which model answers.

use std::{fmt, sync::Arc};

use hostel_model::Model;

/// Which model: one of the configuration by its name, or one of your own.
#[derive(Clone)]
pub enum ModelChoice {
    /// By its name in the configuration.
    Named(String),
    /// This one.
    Own(Arc<dyn Model>),
}

impl From<&str> for ModelChoice {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl From<String> for ModelChoice {
    fn from(name: String) -> Self {
        Self::Named(name)
    }
}

impl From<Arc<dyn Model>> for ModelChoice {
    fn from(model: Arc<dyn Model>) -> Self {
        Self::Own(model)
    }
}

impl fmt::Debug for ModelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.debug_tuple("Named").field(name).finish(),
            Self::Own(model) => f.debug_tuple("Own").field(&model.describe().model).finish(),
        }
    }
}
