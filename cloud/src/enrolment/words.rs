//! Three words that a person reads on both sides: equal words mean equal keys.
//!
//! 256 short French words that a school knows, chosen to sound unlike each other; three bytes of a hash choose three of
//! them (one chance in 16.7 million for a stranger's keys, who has one try before the DSI looks).

use preau_shared::keys::sha256;

/// The words of these keys, in the order they are given.
pub(crate) fn three(keys: &[&[u8]]) -> [String; 3] {
    let mut bytes = b"preau claim words 1\0".to_vec();
    for key in keys {
        bytes.extend(sha256(key));
    }
    let [a, b, c, ..] = sha256(&bytes);
    [word(a), word(b), word(c)]
}

fn word(byte: u8) -> String {
    WORDS.split_ascii_whitespace().nth(usize::from(byte)).unwrap_or_default().to_owned()
}

/// 256 words, in the order of the alphabet.
const WORDS: &str = "
abeille abricot acrobate affiche agenda agneau aiguille album alouette amande ananas ancre antenne arbre ardoise
armoire arrosoir artichaut atelier autobus avion avoine bague balai baleine ballon bambou banane banquet barque bateau
berceau beurre biberon bijou biscuit bison blouse bobine bocal bonbon bonnet bouche bougie boussole bouton bracelet
brioche brosse brouette bruine cabane cactus cadeau cadran cahier caillou calme camion canard carafe carotte cartable
casque castor cerise chaise chalet chameau chapeau charbon chemin cheval chou cigale ciment ciseaux citron clairon
cloche clou cochon coffre colline colombe compas comptine concombre coquille corbeau corde couleur coussin crabe craie
crapaud crayon cube cuisine cygne dauphin dindon domino dragon drapeau dune enclume encre escalier fable facteur
falaise farine faucon fenouil ferme ficelle figue fleuve flocon fontaine fourchette fourmi fraise framboise fromage
fusain galet galop gant garage gazelle genou girafe gomme goutte grange grenier grillon guitare habit haie hamac
hangar haricot harpe herbe hibou hirondelle histoire horloge igloo image jardin javelot jonquille jouet journal jupe
kayak kiwi lac laine lampe lanterne lapin laurier lavande libellule licorne lilas limace linge lion livre loupe lune
lutin magie maison mammouth marmite marron marteau matelas melon menhir menthe merle miel mimosa miroir mouette moulin
moustache mouton muguet musique myrtille navire neige noisette nuage oasis oignon olive orage orange orchestre otarie
ourson panda panier papillon parasol pastel patin peluche perle phare piano pigeon pinceau pivoine plume poire poisson
pomme pompier poney prune puzzle radis raisin renard robot sapin savon sifflet sirop soleil souris stylo tambour tapis
tarte tasse tente tigre tomate tortue toupie train trompette tulipe vague
";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_256_different_plain_words() {
        let words: Vec<&str> = WORDS.split_ascii_whitespace().collect();
        assert_eq!(words.len(), 256);
        assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), 256);
        assert!(words.iter().all(|w| w.bytes().all(|b| b.is_ascii_lowercase()) && (3..=10).contains(&w.len())));
    }

    #[test]
    fn other_keys_have_other_words() {
        let words = three(&[b"signing", b"mqtt", b"lan"]);
        assert_eq!(words, three(&[b"signing", b"mqtt", b"lan"]));
        assert_ne!(words, three(&[b"signing", b"mqtt", b"lam"]));
        assert_ne!(words, three(&[b"signingm", b"qtt", b"lan"]), "where one key ends matters");
    }
}
