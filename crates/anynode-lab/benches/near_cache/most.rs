//! Figures that may not be above their pass mark.

use std::fmt;

use crate::bars::Bars;

impl Bars {
    /// Judges a figure, and says how it came out.
    pub(crate) fn at_most(&mut self, what: impl fmt::Display, figure: f64, most: f64, unit: &str) {
        self.judge(
            figure <= most,
            format_args!("{what}: {figure:.2}{unit}, at most {most:.2}{unit}"),
        );
    }
}
