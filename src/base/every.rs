//! Enums that know all their variants.

/// Declares an enum with a constant `ALL` of its variants in their order, so that no list of them
/// is kept by hand.
macro_rules! every {
    (
        $(#[$about:meta])*
        $vis:vis enum $name:ident {
            $($(#[$variant_about:meta])* $variant:ident,)+
        }
    ) => {
        $(#[$about])*
        $vis enum $name {
            $($(#[$variant_about])* $variant,)+
        }

        impl $name {
            /// Every variant, in the order of their declaration.
            #[allow(dead_code, reason = "not every build lists every enum")]
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
        }
    };
}

pub(crate) use every;
