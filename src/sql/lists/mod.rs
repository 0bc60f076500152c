//! The reviewed lists: which built-in functions, types, catalogue relations and settings a client may use, and
//! which functions, operators and casts are total.
//!
//! The data stands in text files beside this code, one reason per group; what no list names is refused. *Total*
//! means: for any argument values it neither raises nor warns, so it tells nothing but by its result and may run
//! on a hidden row. Two things are left out of that promise, as they are out of reach for whoever asks: a single
//! value of more than 100 MB, and values at the very end of a type's range (dates before 4713 BC, numbers of more
//! than 131,000 digits). `total.txt` names the functions that the second concerns.

mod casts;
mod constants;
mod file;
mod functions;
mod oids;
mod operators;
mod patterns;
mod relations;
mod settings;
mod totality;
mod types;

pub use casts::{cast_is_total, cast_meets_the_edge, constant_cast_is_early, constant_survives_cast};
pub use constants::{ArgumentCheck, interval_is_moderate, moment_is_near, time_zone_is_known};
pub use functions::{FunctionRule, binds, function};
pub use oids::{ANY_ENUM, UNKNOWN};
pub use operators::{
    Depth, MOST_GROWING, MOST_SHALLOW, convert_alike, growing_constant_is_short, has_exponent, is_bounded_by_typmod,
    is_moment, is_small, operator_depth, operator_is_growing, operator_is_total,
};
pub use patterns::{like_pattern_is_safe, like_pattern_with_escape_is_safe, regex_is_safe};
pub use relations::catalog_relation_is_open;
pub use settings::{Limit, Setting, setting, setting_is_readable, unreadable_settings};
pub use totality::{Totality, totality};
pub use types::{collation_is_plain, type_input_is_allowed};
