//! The animal beside a name, for those who do not read yet: distinct inside a class while there are enough.

use std::collections::BTreeMap;

use crate::dice::Dice;

/// Animals that a child of five can tell apart and name, each a French word in lower case.
pub const ANIMALS: [&str; 40] = [
    "abeille",
    "aigle",
    "baleine",
    "canard",
    "castor",
    "cerf",
    "chameau",
    "chat",
    "cheval",
    "chèvre",
    "chien",
    "cochon",
    "coccinelle",
    "coq",
    "crabe",
    "crocodile",
    "dauphin",
    "écureuil",
    "éléphant",
    "escargot",
    "girafe",
    "grenouille",
    "hérisson",
    "hibou",
    "lapin",
    "lion",
    "loup",
    "loutre",
    "mouton",
    "ours",
    "panda",
    "papillon",
    "pieuvre",
    "poisson",
    "renard",
    "singe",
    "souris",
    "tigre",
    "tortue",
    "zèbre",
];

/// How often each animal is met in a class already.
#[derive(Debug, Default)]
pub struct Herd(BTreeMap<String, usize>);

impl Herd {
    /// Counts an animal that somebody of the class has.
    pub fn meet(&mut self, animal: &str) {
        let count = self.0.entry(animal.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// Gives one of the rarest in this class, and counts it.
    pub fn give(&mut self, dice: &dyn Dice) -> String {
        let count = |animal: &&str| self.0.get(*animal).copied().unwrap_or(0);
        let rarest = ANIMALS.iter().map(&count).min().unwrap_or(0);
        let free: Vec<&str> = ANIMALS.into_iter().filter(|animal| count(animal) == rarest).collect();
        let bound = u64::try_from(free.len()).unwrap_or(1);
        let at = usize::try_from(dice.below(bound)).unwrap_or(0);
        let animal = free.get(at).copied().unwrap_or("loutre").to_owned();
        self.meet(&animal);
        animal
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::dice::Seeded;

    #[test]
    fn a_class_of_forty_has_forty_animals() {
        let (dice, mut herd) = (Seeded::new(1), Herd::default());
        herd.meet("loutre");
        let given: BTreeSet<String> = (0..39).map(|_| herd.give(&dice)).collect();
        assert_eq!(given.len(), 39);
        assert!(!given.contains("loutre"));
        assert!(ANIMALS.contains(&herd.give(&dice).as_str()), "and then they come a second time");
    }
}
