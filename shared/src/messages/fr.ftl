# Refus : une phrase, puis la chose à faire.
refusal-badge_malformed = Ce code n'est pas un badge de l'école.
    .next = Montre ton badge à la caméra, ou appelle la maîtresse.
refusal-badge_unknown = Ce badge n'est pas connu ici.
    .next = Vérifier que le badge est bien de cette école ; l'adulte peut ouvrir la tablette depuis sa page.
refusal-badge_void = Ce badge ne marche plus.
    .next = L'adulte ouvre la tablette depuis sa page, puis imprime un nouveau badge.
refusal-badge_expired = Ce badge n'est plus valable aujourd'hui.
    .next = L'adulte ouvre la tablette depuis sa page, puis imprime un nouveau badge.
refusal-second_factor_required = Il manque ton code.
    .next = Choisis tes images, ou tape tes chiffres.
refusal-second_factor_wrong = Ce n'est pas le bon code.
    .next = Essaie encore, ou appelle la maîtresse.
refusal-adult_called = On appelle la maîtresse.
    .next = Tu peux essayer encore, ou attendre l'adulte.
refusal-code_too_simple = Ce code est trop facile à deviner.
    .next = Choisis-en un autre.
refusal-locked_out = On appelle la maîtresse.
    .next = L'adulte ouvre la tablette depuis sa page.
refusal-account_wrong = Le compte ou le mot de passe n'est pas le bon.
    .next = Vérifier l'un et l'autre ; le directeur peut donner un nouveau code.
refusal-tablet_not_free = Cette tablette n'est pas libre.
    .next = Prendre une autre tablette, ou terminer d'abord la session en cours.
refusal-tablet_unknown = Cette tablette n'est pas inscrite dans cette école.
    .next = L'inscrire depuis la page du directeur, avec le code d'inscription.
refusal-wipe_incomplete = La tablette n'est pas encore propre.
    .next = Attendre la fin de l'effacement, ou confirmer depuis la page de l'enseignant que la tablette a été vérifiée.
refusal-wipe_unknown = Cet effacement n'est pas celui qui est attendu.
    .next = La tablette redemande son état et recommence.
refusal-not_enrolled_here = Cet élève n'est pas inscrit dans cette école.
    .next = L'adulte peut ouvrir une session d'invité.
refusal-outside_hours = L'école est fermée à cette heure.
    .next = Le directeur peut ouvrir des heures depuis sa page.
refusal-enrolment_closed = Le code d'inscription n'est pas valable, ou l'inscription est fermée.
    .next = Un adulte ouvre l'inscription depuis sa page et lit le nouveau code.
refusal-session_unknown = La session est terminée.
    .next = Montrer de nouveau le badge.
refusal-staff_required = Il faut d'abord se connecter.
    .next = Se connecter avec son badge et son code.
refusal-forbidden = Ce compte n'a pas le droit de faire cela.
    .next = Demander au directeur ou à la DSI.
refusal-use_dpop_nonce = La preuve de la tablette doit être refaite.
    .next = La tablette recommence seule avec le jeton donné.
refusal-proof_invalid = La preuve de la tablette n'est pas valable.
    .next = Recharger la page ; si cela continue, réinscrire la tablette.
refusal-proof_replayed = Cette preuve a déjà servi.
    .next = La tablette recommence seule ; si cela continue, prévenir la DSI.
refusal-malformed = La demande n'a pas la forme attendue.
    .next = Voir la ligne et la colonne indiquées.
refusal-not_found = Il n'y a rien à cette adresse.
    .next = Vérifier l'adresse.
refusal-method_not_allowed = Cette adresse ne répond pas à cette méthode.
    .next = Voir la liste des méthodes dans la description de l'interface.
refusal-too_large = C'est trop gros.
    .next = Envoyer moins à la fois.
refusal-overloaded = Trop de demandes en même temps.
    .next = La tablette recommence seule dans quelques secondes.
refusal-storage_failed = Le disque de la boîte refuse d'écrire.
    .next = Les sessions continuent ; appeler la DSI pour remplacer la boîte.
refusal-failed = Quelque chose n'a pas marché de notre côté.
    .next = Recommencer ; si cela continue, donner le numéro à la DSI.
refusal-claim_refused = Ce code de boîte n'est pas valable.
    .next = Demander un nouveau code à la DSI.
refusal-claim_pending = La boîte attend que la DSI confirme les trois mots.
    .next = Lire les trois mots à la DSI, puis attendre.
refusal-roster_unreadable = Ce fichier d'élèves n'est pas lisible.
    .next = Corriger les lignes indiquées, ou exporter de nouveau depuis ONDE.
refusal-roster_suspicious = Ce fichier retirerait trop d'élèves de l'école.
    .next = Exporter l'école entière depuis ONDE, ou confirmer avec --force après lecture du plan.

# Fichiers d'élèves : la cause, puis la chose à faire.
roster-empty = Le fichier est vide.
    .next = Exporter de nouveau la liste des élèves depuis ONDE.
roster-no-pupils = Ligne { $line } : il y a des titres de colonnes, mais aucun élève dessous.
    .next = Exporter de nouveau la liste des élèves depuis ONDE.
roster-too-large = Le fichier dépasse { $limit } octets.
    .next = Envoyer un fichier par école, sans images ni feuilles de calcul.
roster-too-many-rows = Ligne { $line } : plus de { $limit } élèves dans un seul fichier.
    .next = Envoyer un fichier par école.
roster-not-text = Ce n'est pas un fichier de texte.
    .next = Dans le tableur, enregistrer au format CSV (séparateur : point-virgule), ou exporter de nouveau depuis ONDE.
roster-wrong-encoding = Ligne { $line } : les accents des titres de colonnes sont abîmés.
    .next = Envoyer le fichier tel qu'ONDE l'a donné, ou l'enregistrer en « CSV UTF-8 ».
roster-wrong-separator = Ligne { $line } : les colonnes sont séparées par { $seen } au lieu de « ; ».
    .next = Enregistrer en CSV avec le point-virgule pour séparateur, ou envoyer le fichier tel qu'ONDE l'a donné.
roster-no-header = Ligne { $line } : la première ligne semble être un élève ; il manque les titres des colonnes.
    .next = Remettre la ligne des titres en tête, ou exporter de nouveau depuis ONDE.
roster-missing-column = Ligne { $line } : il manque la colonne « { $column } » (titres acceptés : { $accepted }).
    .next = Ajouter cette colonne dans l'extraction d'ONDE.
roster-guardians = Ligne { $line } : c'est le fichier des responsables ; il n'est pas utile ici et n'a pas été lu.
    .next = Exporter depuis ONDE la liste des élèves.
roster-too-many-columns = Ligne { $line } : beaucoup trop de colonnes.
    .next = Envoyer le fichier tel qu'ONDE l'a donné.
roster-endless-cell = Ligne { $line }, colonne { $column } : la case ne finit pas ; un guillemet est sans doute resté ouvert.
    .next = Fermer le guillemet de cette ligne, ou exporter de nouveau depuis ONDE.
roster-doubt-no-name = Ligne { $line } : la case « { $column } » est vide ; la ligne est laissée de côté.
    .next = Compléter le nom dans ONDE, puis exporter de nouveau.
roster-doubt-empty = Ligne { $line } : la case « { $column } » est vide ; l'élève est gardé sans.
    .next = Compléter la case dans ONDE quand elle sera connue.
roster-doubt-bad-date = Ligne { $line } : la case « { $column } » n'est pas une date ; l'élève est gardé sans.
    .next = Écrire la date sous la forme JJ/MM/AAAA.
roster-doubt-bad-ine = Ligne { $line } : la case « { $column } » n'a pas la forme d'un INE ; l'élève est gardé sans.
    .next = Vérifier l'INE dans ONDE : onze caractères.
roster-doubt-bad-sex = Ligne { $line } : la case « { $column } » n'est ni M ni F ; l'élève est gardé sans.
    .next = Corriger la case si elle est utile.
roster-doubt-unknown-level = Ligne { $line } : le niveau n'est pas connu ; l'élève aura les réglages communs.
    .next = Écrire PS, MS, GS, CP, CE1, CE2, CM1 ou CM2.
roster-doubt-garbled = Ligne { $line } : les accents de la case « { $column } » sont abîmés ; la ligne est laissée de côté.
    .next = Envoyer le fichier tel qu'ONDE l'a donné.
roster-doubt-too-many-cells = Ligne { $line } : plus de cases que de titres ; la ligne est laissée de côté.
    .next = Chercher un point-virgule de trop dans cette ligne.
roster-doubt-repeated = Ligne { $line } : cet élève est déjà à la ligne { $first } ; la ligne est laissée de côté.
    .next = Enlever la ligne en trop, ou vérifier l'INE et la date de naissance.
roster-doubt-homonym = Ligne { $line } : un élève de même nom est à la ligne { $first } ; les deux sont gardés.
    .next = Vérifier qu'il s'agit bien de deux élèves.
roster-doubt-column-twice = Ligne { $line } : deux colonnes veulent dire « { $column } » ; la première est lue.
    .next = Enlever la colonne en trop.

# Pages de la boîte : ce qui est commun.
page-noscript = Cette page a besoin de JavaScript.
step-pages = pages ouvertes
step-storage = mémoire du navigateur
step-downloads = téléchargements
step-clipboard = presse-papiers

# Page de la tablette.
tablet-title = Préau : la tablette
tablet-starting = La tablette se réveille…
tablet-enrol-title = Inscrire cette tablette
tablet-enrol-help = L'enseignant ouvre l'inscription depuis sa page et lit le code à voix haute.
tablet-enrol-code = Code d'inscription
tablet-enrol-name = Nom écrit sur la tablette
tablet-enrol-example = Tablette 07
tablet-enrol-go = Inscrire
tablet-ready-title = Montre ton badge
tablet-ready-type = ou tape les lettres de ton badge
tablet-ready-pair = On est deux
tablet-ready-account = J'ai un compte
tablet-pair-title = Montrez vos badges l'un après l'autre : { $count }
tablet-pair-go = C'est parti !
tablet-go = Entrer
tablet-back = Retour
tablet-ok = D'accord
tablet-again = Recommencer
tablet-camera-turn = Autre caméra
tablet-camera-insecure = La caméra ne marche que par une adresse sûre (https).
tablet-camera-none = Cette tablette n'a pas de caméra.
tablet-camera-refused = La caméra n'est pas autorisée. L'adulte touche le cadenas, en haut, puis « Autoriser ».
tablet-camera-busy = La caméra sert à une autre application. Ferme-la, puis reviens ici.
tablet-camera-broken = La caméra ne répond pas.
tablet-camera-type = Tu peux taper les 8 lettres écrites sur ton badge.
tablet-insecure-title = Cette page n'est pas ouverte par la bonne adresse
tablet-account-title = Entrer avec un compte
tablet-account-name = Identifiant
tablet-account-password = Mot de passe
tablet-secret-digits = Tape tes quatre chiffres
tablet-secret-pictures = Touche tes trois images
tablet-secret-have-pictures = J'ai des images
tablet-secret-have-digits = J'ai des chiffres
tablet-secret-wrong = Ce n'est pas ça. Essaie encore, ou appelle la maîtresse.
tablet-secret-erase = Effacer
tablet-hello = Bonjour
tablet-apps = Applications
tablet-documents = Documents de la classe
tablet-links = Liens
tablet-nothing-yet = Rien n'est encore posé ici.
tablet-not-me = Ce n'est pas moi
tablet-sign-out = J'ai fini
tablet-not-recorded = Tu peux travailler, mais la boîte n'arrive pas à noter ta venue. Un adulte peut prévenir la DSI.
tablet-goodbye = Au revoir { $name } !
tablet-wiping-title = On range la tablette
tablet-wiping-help = Elle efface tout, puis elle sera prête.
tablet-unclean-title = La tablette n'est pas tout à fait rangée
tablet-unclean-help = Un adulte vérifie qu'il ne reste rien, puis le dit sur sa page : « J'ai vérifié ».
tablet-unclean-steps = Pas confirmé : { $steps }
tablet-stuck-title = Quelqu'un est encore connecté ici
tablet-stuck-help = L'adulte termine la session depuis sa page. Sinon, elle se ferme seule au bout de dix minutes.
tablet-lost-title = Cette tablette est perdue !
tablet-lost-help = Merci de la rapporter à l'école.
tablet-silent-title = La boîte ne répond pas
tablet-silent-help = Vérifie que la prise est branchée et que la lumière est verte.
tablet-silent-next = Dès qu'elle répond, l'écran revient tout seul.
tablet-outing-title = Cette tablette est en sortie
tablet-outing-help = Elle reviendra en classe avec le directeur.
tablet-retired-title = Cette tablette ne sert plus
tablet-retired-help = Prendre une autre tablette.
tablet-box-silent = La boîte de l'école ne répond pas. On réessaie tout seul.
tablet-page-failed = Quelque chose s'est coincé.
tablet-page-failed-next = Ferme cette page et ouvre-la de nouveau ; si cela continue, appelle un adulte.
tablet-number = Numéro à donner à la DSI : { $number }
tablet-call-title = On appelle la maîtresse
tablet-call-help = Elle arrive. Tu peux aussi essayer encore.
tablet-call-again = J'essaie encore
tablet-choose-pictures = Choisis trois images
tablet-choose-digits = Choisis quatre chiffres
tablet-choose-again = Encore une fois, pour être sûr
tablet-choose-other = Ce n'était pas pareil. On recommence ?
tablet-choose-simple = Ce code est trop facile à deviner. Choisis-en un autre.
tablet-choose-keeping = On garde ton code…
tablet-choose-not-kept = Ton code n'a pas pu être gardé. Tu en choisiras un autre jour.
tablet-choose-go-on = Continuer
tablet-choose-later = Plus tard
tablet-still-there = Tu es encore là ?
tablet-still-here = Oui, je suis là
tablet-still-there-all = Vous êtes encore là ?
tablet-still-here-all = Oui, on est là
tablet-settings = Réglages
tablet-settings-text = Taille des lettres
tablet-settings-normal = Lettres normales
tablet-settings-large = Grandes lettres
tablet-settings-largest = Très grandes lettres
tablet-settings-contrast = Couleurs
tablet-settings-soft = Couleurs douces
tablet-settings-strong = Couleurs fortes
tablet-settings-motion = Mouvements
tablet-settings-moving = L'écran bouge
tablet-settings-still = L'écran ne bouge pas
tablet-settings-sound = Sons
tablet-settings-loud = Avec les sons
tablet-settings-mute = Sans les sons
tablet-settings-lang = Langue

# Page de l'enseignant.
teacher-title = Préau : ma classe
teacher-starting = Un instant…
teacher-brand = Préau
teacher-sign-in = Ouvrir ma classe
teacher-by-badge = Badge et code
teacher-by-account = Compte
teacher-badge = Badge
teacher-pin = Code personnel
teacher-account = Identifiant
teacher-password = Mot de passe
teacher-scan = Lire avec la caméra
teacher-no-camera = La caméra n'est pas disponible ici : tapez le code écrit sur le badge.
teacher-go = Entrer
teacher-ok = D'accord
teacher-cancel = Revenir
teacher-hello = Bonjour { $name }
teacher-leave = Se déconnecter
teacher-classes = Mes classes
teacher-no-class = Aucune classe ne vous est confiée. Le directeur peut vous en confier une.
teacher-count = { $count } sur { $total }
teacher-filter-all = Tous
teacher-filter-seated = Sur une tablette
teacher-filter-waiting = Pas encore
teacher-nobody = Personne ici pour le moment.
teacher-not-seated = Pas sur une tablette
teacher-since = depuis { $minutes } min
teacher-since-now = à l'instant
teacher-let-in = Faire entrer
teacher-let-in-title = Faire entrer { $name }
teacher-let-in-help = Touchez la tablette que l'enfant a devant lui : elle s'ouvre dans quelques secondes.
teacher-let-in-none = Aucune tablette n'est libre. Terminez une session, ou attendez la fin du rangement.
teacher-end = Terminer
teacher-end-title = Terminer la session de { $name } sur { $tablet } ?
teacher-end-help = La tablette revient au lecteur de badges et efface ce qui reste. Ce qui est enregistré le reste.
teacher-calling = Attend devant { $tablet }
teacher-badge-acts = Badge…
teacher-badge-lost = Badge perdu : en imprimer un autre
teacher-badge-lost-help = L'ancien ne marche plus, dès maintenant.
teacher-badge-print = Imprimer un nouveau badge
teacher-badge-print-help = L'ancien marche jusqu'à la première utilisation du nouveau.
teacher-badge-title = Le badge de { $name }
teacher-badge-today = Un badge pour aujourd'hui
teacher-badge-today-help = Il s'affiche ici ; demain, il ne marche plus.
teacher-badge-today-next = Montrez cet écran à la tablette, ou faites recopier les lettres.
teacher-badge-today-title = Pour { $name }, aujourd'hui
teacher-badges = Badges
teacher-badges-cards = Cartes à découper
teacher-badges-go = Imprimer
teacher-badges-labels = Étiquettes de 5 cm
teacher-badges-lost = Des badges sont perdus
teacher-badges-lost-help = Aucun ancien badge ne marche plus, dès maintenant.
teacher-badges-new = De nouveaux badges
teacher-badges-paper = Sur quel papier
teacher-badges-printed = Badges prêts : { $count }
teacher-badges-printed-help = Ouvrez le fichier, imprimez-le, puis effacez-le. Les anciens badges marchent jusqu'à la première utilisation des nouveaux.
teacher-badges-printed-lost = Ouvrez le fichier, imprimez-le, puis effacez-le. Les anciens badges ne marchent plus.
teacher-badges-printing = Les badges se préparent…
teacher-badges-school = Toute l'école
teacher-badges-title = Imprimer des badges
teacher-badges-whose = Pour qui
teacher-badges-why = Pourquoi
teacher-codes = Codes secrets
teacher-codes-digits = Badge et 4 chiffres
teacher-codes-help = Un enfant qui n'a pas encore de code le choisit à sa prochaine ouverture. Un code oublié : l'enfant apparaît en haut de la liste de sa classe.
teacher-codes-none = Badge seul
teacher-codes-pictures = Badge et 3 images
teacher-codes-pupils = { $count } élèves
teacher-codes-title = Ce qu'on demande avec le badge
teacher-new-code = Et nouveau code
teacher-add = Ajouter
teacher-given-name = Prénom
teacher-pupil = Nouvel élève
teacher-pupil-help = Il entre en classe tout de suite ; la liste de l'école le reconnaîtra plus tard.
teacher-pupil-title = Un nouvel élève en { $name }
teacher-substitute = Remplaçant
teacher-substitute-end = Fin du remplacement
teacher-substitute-friday = Jusqu'à vendredi soir
teacher-substitute-next = Le remplaçant lit ce badge avec la page de la classe, puis tape ce code. Il n'est montré qu'une fois : notez-le.
teacher-substitute-ready = { $name } peut enseigner
teacher-substitute-title = Un remplaçant dans l'école
teacher-substitute-tonight = Jusqu'à ce soir
teacher-substitute-until = Jusqu'à quand
teacher-substitute-vouch = Vous vous portez garant ; le directeur le verra.
teacher-alert-twice = Le badge de { $name } a servi sur { $tablet }, puis sur { $other }, { $since }.
teacher-alert-refusals = Beaucoup de refus sur { $tablet } : { $count }. Quelqu'un a peut-être besoin d'aide.
teacher-no-badge = Sans badge
teacher-void = Annuler le badge, sans en imprimer
teacher-void-help = Il ne marchera plus sur aucune tablette, tout de suite et pour toujours, même si on le retrouve.
teacher-checked = J'ai vérifié
teacher-checked-title = { $tablet } : rien ne reste du dernier enfant ?
teacher-checked-steps = Ce que la tablette n'a pas pu confirmer : { $steps }.
teacher-checked-help = Regardez les pages ouvertes, les photos et les téléchargements. Votre nom est noté avec cette vérification.
teacher-wiping = se range en ce moment.
teacher-wiping-stuck = n'a pas pu tout effacer : à vérifier.
teacher-tablets = Tablettes : { $count } libres sur { $total }
teacher-state-free = libre
teacher-state-in-use = occupée
teacher-state-wiping = se range
teacher-state-lost = perdue
teacher-state-outing = en sortie
teacher-state-retired = hors service
teacher-state-unknown = jamais vue
teacher-enrol = Inscrire des tablettes
teacher-enrol-title = Code d'inscription
teacher-enrol-help = Sur chaque tablette : ouvrir la page, taper ce code et le nom collé au dos.
teacher-enrol-until = Valable encore { $minutes } minutes, pour { $count } tablettes.
teacher-pin-missing = Il manque le code personnel.
teacher-pin-wrong = Ce n'est pas le bon code. Le directeur peut en donner un nouveau, même sans Internet.
teacher-locked-out = Trop d'essais. Attendez quelques minutes, ou demandez au directeur.
teacher-pin-title = Encore votre code
teacher-pin-again = Code personnel ou mot de passe
teacher-box-silent = La boîte de l'école ne répond pas. Ce qui est affiché date d'avant ; la page réessaie seule.
teacher-silent-title = La boîte de l'école ne répond pas
teacher-silent-help = Vérifiez que sa prise est branchée et que sa lumière est verte. Les élèves déjà connectés gardent leur écran.
teacher-silent-next = Cette page réessaie seule et revient où vous en étiez.
teacher-wan-down = Internet est coupé : la classe continue, tout est gardé dans l'école.
teacher-page-failed = Quelque chose s'est coincé dans cette page.
teacher-page-failed-next = Rechargez la page ; si cela continue, prévenez la DSI.
teacher-number = Numéro à donner à la DSI : { $number }

# Sessions : ce que la boîte dit elle-même.
sign-in-guest = Invité

# DSI: ce que la coordination répond.
refusal-roster_outdated = L'école a changé depuis que ce plan a été montré.
    .next = Envoyer de nouveau le fichier, puis lire le nouveau plan.
refusal-roster_not_last = Seul le dernier import appliqué d'une école peut être repris.
    .next = Reprendre d'abord l'import plus récent, ou envoyer un fichier corrigé.
refusal-administrator_required = Il faut d'abord se connecter à la coordination.
    .next = Se connecter sur la page /login, ou joindre le jeton de l'interface.
roster-doubt-same-person = Ligne { $line } : un élève du même nom existe déjà, mais rien ne prouve que c'est le même.
    .next = Ajouter l'INE ou corriger la date de naissance ; d'ici là, rien ne change pour cette ligne.
dsi-trouble-quarantine = Des changements de cette boîte ont été mis de côté. Mettre la boîte à jour, puis appeler le support si cela reste.
dsi-trouble-digest = La boîte et la coordination n'ont pas les mêmes documents. Redémarrer la boîte ; si cela reste, la remplacer.
dsi-trouble-gap = Il manque une suite d'écritures entre la boîte et la coordination. Redémarrer la boîte ; si cela reste, appeler le support.
dsi-trouble-clone = Un disque de cette école a été restauré ou copié. Vérifier qu'une seule machine porte ce nom.
dsi-trouble-lost = Le coordinateur a été restauré d'une sauvegarde trop ancienne : des écritures de cette école ne sont plus gardées nulle part. Consulter leur liste, puis restaurer une sauvegarde plus récente si elle existe.
dsi-trouble-too-old = La boîte est trop ancienne pour se synchroniser. La mettre à jour ; rien n'est perdu.
dsi-trouble-voids = Plus d'un badge sur cinq de l'école a été annulé sur cette boîte en un jour. Demander à la direction si c'était voulu ; de nouveaux badges s'impriment tout de suite.
dsi-trouble-certificate = Le certificat de la boîte finit dans moins de 14 jours. La laisser connectée : il se renouvelle seul.

# DSI : la page des écoles.
dsi-title = Écoles
dsi-product = Préau
dsi-sign-out = Se déconnecter
dsi-skip = Aller au tableau des écoles
dsi-noscript = Sans JavaScript, cette page ne se met pas à jour seule : la recharger pour l'état du moment.
dsi-live = En direct
dsi-connecting = Connexion…
dsi-lost = Connexion perdue, dernier état { $ago }
dsi-summary-none = Aucune école pour l'instant.
dsi-summary-well = { $many ->
    [one] L'école est à jour.
   *[other] Les { $n } écoles sont à jour.
 }
dsi-summary-all = { $many ->
    [one] 1 école : { $parts }.
   *[other] { $n } écoles : { $parts }.
 }
dsi-summary-offline = { $n } hors contact
dsi-summary-attention = { $n } à regarder
dsi-summary-catching-up = { $n } en rattrapage
dsi-summary-never-seen = { $n } en attente de boîte
dsi-summary-rest = { $n } à jour
dsi-summary-offline-note = Hors contact, les classes continuent : la boîte de l'école répond seule.
dsi-fact-in-use = tablettes utilisées
dsi-fact-signed-in = personnes connectées
dsi-fact-unsynced = écritures en attente
dsi-fact-unknown = écoles dont l'attente est inconnue
dsi-empty-title = Le préau est encore vide
dsi-empty-text = Ajouter la première école, importer sa liste ONDE, puis brancher sa boîte : elle apparaîtra ici d'elle-même.
dsi-empty-command = preau school add
dsi-column-school = École
dsi-column-state = État
dsi-column-contact = Dernier contact
dsi-column-unsynced = Pas encore ici
dsi-column-lag = Délai
dsi-column-tablets = Tablettes
dsi-column-signed-in = Connectés
dsi-column-box = Boîte
dsi-caption = Écoles du territoire, les plus en peine d'abord
dsi-state-never_seen = Jamais vue
dsi-state-offline = Hors contact
dsi-state-attention = À regarder
dsi-state-catching_up = Se met à jour
dsi-state-in_sync = À jour
dsi-contact-never = jamais
dsi-unsynced-none = rien
dsi-unsynced = { $many ->
    [one] 1 écriture
   *[other] { $n } écritures
 }
dsi-unsynced-files = { $many ->
    [one] + 1 fichier
   *[other] + { $n } fichiers
 }
dsi-unsynced-oldest = la plus ancienne : { $age }
dsi-unsynced-last-none = rien au dernier contact
dsi-unsynced-last = { $many ->
    [one] 1 écriture au dernier contact
   *[other] { $n } écritures au dernier contact
 }
dsi-unsynced-unknown = inconnu depuis { $age }
dsi-unsynced-never = inconnu
dsi-lag-none = pas encore mesuré
dsi-tablets-in-use = { $many ->
    [none] utilisée
    [one] utilisée
   *[other] utilisées
 }
dsi-tablets-wiping = { $n } en nettoyage
dsi-tablets-lost = { $many ->
    [one] 1 perdue
   *[other] { $n } perdues
 }
dsi-tablets-none = aucune inscrite
dsi-of-total = sur { $total }
dsi-at-last-contact = au dernier contact
dsi-clock-synchronised = horloge juste
dsi-clock-carried = horloge reprise
dsi-clock-unknown = horloge inconnue
dsi-version = version { $version }
dsi-blocklist = listes { $version }
dsi-boxes = { $many ->
    [none] aucune boîte
    [one] 1 boîte
   *[other] { $n } boîtes
 }
dsi-certificate = certificat : { $days } j
dsi-error = Dernière erreur
dsi-entries = { $many ->
    [one] 1 écriture reçue
   *[other] { $n } écritures reçues
 }
dsi-ago-now = à l'instant
dsi-ago = il y a { $age }
dsi-age-s = { $n } s
dsi-age-min = { $n } min
dsi-age-h = { $n } h
dsi-age-h-min = { $n } h { $m } min
dsi-age-d = { $n } j
dsi-login-title = Connexion de la DSI
dsi-login-text = Cette page montre où en est chaque école. Aucun nom d'élève ne s'y trouve.
dsi-login-user = Identifiant
dsi-login-password = Mot de passe
dsi-login-enter = Entrer
dsi-login-wrong = L'identifiant ou le mot de passe n'est pas le bon.
dsi-login-wait = Trop d'essais. Recommencer dans { $seconds } secondes.
dsi-login-again = La session est terminée : se connecter de nouveau.
dsi-failed = La coordination n'a pas pu lire son état. Recharger ; si cela reste, regarder le journal du service.

## On paper

print-found = Badge perdu, badge rendu : merci de le rapporter à l'école.
print-foot = { $name } · page { $count } sur { $total }
