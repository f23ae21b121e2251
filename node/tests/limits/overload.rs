//! More than the node can take, some of it from accounts that keep to no budget.
