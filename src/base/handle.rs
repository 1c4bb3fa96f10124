//! `Debug` for handles.

/// Implements `Debug` for a handle: what tells it from others, and nothing of what is behind it.
macro_rules! handle {
    ($handle:ident $(<$life:lifetime>)?, $this:ident { $($field:ident: $value:expr),* }) => {
        impl std::fmt::Debug for $handle $(<$life>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let $this = self;
                f.debug_struct(stringify!($handle))
                    $(.field(stringify!($field), &$value))*
                    .finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use handle;
