//! Empty: cargo builds the module in a dependency.
