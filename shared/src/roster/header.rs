//! The header: which column holds what. A head teacher chooses columns and their order, and their names changed with
//! the versions of the register, so names are compared without accents, case, spaces and apostrophes.

/// A column that is used. Every other one is dropped unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Family name.
    FamilyName,
    /// Usage name.
    UsageName,
    /// Given name.
    GivenName,
    /// Birth date.
    BirthDate,
    /// Sex.
    Sex,
    /// National number.
    Ine,
    /// Cycle.
    Cycle,
    /// Level.
    Level,
    /// The label of the class.
    ClassName,
    /// The register's number of the class.
    ClassRef,
}

impl Column {
    /// Every column, in the register's order.
    pub const ALL: [Self; 10] = [
        Self::FamilyName,
        Self::UsageName,
        Self::GivenName,
        Self::BirthDate,
        Self::Sex,
        Self::Ine,
        Self::Cycle,
        Self::Level,
        Self::ClassName,
        Self::ClassRef,
    ];
    /// Those without which no pupil can be enrolled.
    pub const REQUIRED: [Self; 4] = [Self::FamilyName, Self::GivenName, Self::Level, Self::ClassName];

    /// The register's own title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::FamilyName => "Nom élève",
            Self::UsageName => "Nom d'usage élève",
            Self::GivenName => "Prénom élève",
            Self::BirthDate => "Date naissance",
            Self::Sex => "Sexe",
            Self::Ine => "INE",
            Self::Cycle => "Cycle",
            Self::Level => "Niveau",
            Self::ClassName => "Libellé classe",
            Self::ClassRef => "Identifiant classe",
        }
    }
    /// The titles that are understood, as people write them.
    pub const fn accepted(self) -> &'static [&'static str] {
        match self {
            Self::FamilyName => &["Nom élève", "Nom", "Nom de famille", "Nom de l'élève", "Nom de famille élève"],
            Self::UsageName => &["Nom d'usage élève", "Nom d'usage", "Nom usage", "Nom usage élève"],
            Self::GivenName => &["Prénom élève", "Prénom", "Prénom de l'élève"],
            Self::BirthDate => &["Date naissance", "Date de naissance", "date_naiss", "Né(e) le", "Née le", "Né le"],
            Self::Sex => &["Sexe"],
            Self::Ine => &["INE", "Identifiant National Élève", "Numéro INE"],
            Self::Cycle => &["Cycle", "Filière"],
            Self::Level => &["Niveau", "Niveau élève"],
            Self::ClassName => &[
                "Libellé classe",
                "Classe",
                "Nom de la classe",
                "Classe ou regroupement",
                "Classes",
                "Libellé de la classe",
            ],
            Self::ClassRef => &["Identifiant classe", "Identifiant de la classe"],
        }
    }
    /// The column that a title means.
    pub(super) fn of(title: &str) -> Option<Self> {
        let key = key(title);
        Self::ALL.into_iter().find(|column| column.accepted().iter().any(|name| self::key(name) == key))
    }
}

/// A title without what varies: case, accents, white space, stars, both apostrophes and byte order marks.
fn key(title: &str) -> String {
    plain(title).chars().filter(|c| !c.is_whitespace() && !matches!(c, '*' | '\'' | '’' | '\u{feff}')).collect()
}

/// A text in lower case and without the accents of Western European languages; `œ` and `æ` become two letters.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => plain.push('a'),
            'ç' => plain.push('c'),
            'è' | 'é' | 'ê' | 'ë' => plain.push('e'),
            'ì' | 'í' | 'î' | 'ï' => plain.push('i'),
            'ñ' => plain.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' => plain.push('o'),
            'ù' | 'ú' | 'û' | 'ü' => plain.push('u'),
            'ý' | 'ÿ' => plain.push('y'),
            'œ' => plain.push_str("oe"),
            'æ' => plain.push_str("ae"),
            '\u{300}'..='\u{36f}' => {}
            other => plain.push(other),
        }
    }
    plain
}

/// Where each used column stands in a header.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    places: Vec<(Column, usize)>,
    /// Columns that stand there a second time, with their place.
    pub(super) twice: Vec<Column>,
    /// How many columns the header has, trailing empty ones left out.
    pub(super) width: usize,
}

impl Places {
    /// Reads a header's titles.
    pub(super) fn of<'t>(titles: impl Iterator<Item = &'t str>) -> Self {
        let mut found = Self::default();
        for (place, title) in titles.enumerate() {
            if !title.trim().is_empty() {
                found.width = place.saturating_add(1);
            }
            match Column::of(title) {
                Some(column) if found.place(column).is_some() => found.twice.push(column),
                Some(column) => found.places.push((column, place)),
                None => {}
            }
        }
        found.class_by_number();
        found
    }
    /// A file that names classes only by their number uses the number as the label.
    fn class_by_number(&mut self) {
        if self.place(Column::ClassName).is_none()
            && let Some(place) = self.place(Column::ClassRef)
        {
            self.places.push((Column::ClassName, place));
        }
    }
    /// The place of a column.
    pub(super) fn place(&self, column: Column) -> Option<usize> {
        self.places.iter().find(|(at, _)| *at == column).map(|(_, place)| *place)
    }
    /// The columns that are there.
    pub(super) fn columns(&self) -> Vec<Column> {
        Column::ALL.into_iter().filter(|column| self.place(*column).is_some()).collect()
    }
    /// How many columns are understood.
    pub(super) fn known(&self) -> usize {
        self.places.len()
    }
    /// The first required column that is not there.
    pub(super) fn missing(&self) -> Option<Column> {
        Column::REQUIRED.into_iter().find(|column| self.place(*column).is_none())
    }
}

/// Whether a title belongs to the guardians' file.
pub(super) fn is_guardian(title: &str) -> bool {
    key(title).ends_with("responsable")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_compared_without_what_varies() {
        for (title, column) in [
            (" Cycle", Some(Column::Cycle)),
            ("\u{feff}\u{feff}NOM ÉLÈVE", Some(Column::FamilyName)),
            ("Nom d’usage élève", Some(Column::UsageName)),
            ("Nom d'usage Elève", Some(Column::UsageName)),
            ("Pre\u{301}nom*", Some(Column::GivenName)),
            ("Né(e) le", Some(Column::BirthDate)),
            ("Identifiant national élève", Some(Column::Ine)),
            ("Adresse1", None),
            ("Nom responsable", None),
            ("Identifiant Classe", Some(Column::ClassRef)),
            ("", None),
        ] {
            assert_eq!(Column::of(title), column, "{title}");
        }
    }
}
