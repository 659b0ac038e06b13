# Refusals: a sentence, then what to do.
refusal-badge_malformed = This code is not a badge of the school.
    .next = Show your badge to the camera, or call the teacher.
refusal-badge_unknown = This badge is not known here.
    .next = Check that the badge belongs to this school; the adult can open the tablet from the teacher's page.
refusal-badge_void = This badge no longer works.
    .next = The adult opens the tablet from the teacher's page, then prints a new badge.
refusal-badge_expired = This badge is no longer valid today.
    .next = The adult opens the tablet from the teacher's page, then prints a new badge.
refusal-second_factor_required = Your code is missing.
    .next = Choose your pictures, or type your digits.
refusal-second_factor_wrong = That is not the right code.
    .next = Try again, or call the teacher.
refusal-adult_called = Let us call the teacher.
    .next = You can try again, or wait for the adult.
refusal-code_too_simple = This code is too easy to guess.
    .next = Choose another one.
refusal-locked_out = Let us call the teacher.
    .next = The adult opens the tablet from the teacher's page.
refusal-account_wrong = The account or the password is wrong.
    .next = Check both; the head teacher can give a new code.
refusal-tablet_not_free = This tablet is not free.
    .next = Take another tablet, or end the running session first.
refusal-tablet_unknown = This tablet is not enrolled in this school.
    .next = Enrol it from the head teacher's page, with the enrolment code.
refusal-wipe_incomplete = The tablet is not clean yet.
    .next = Wait for the wipe to end, or confirm on the teacher's page that the tablet was checked.
refusal-wipe_unknown = This is not the wipe that is expected.
    .next = The tablet asks for its state and starts again.
refusal-not_enrolled_here = This pupil is not enrolled in this school.
    .next = The adult can open a guest session.
refusal-outside_hours = The school is closed at this hour.
    .next = The head teacher can open hours from the head's page.
refusal-enrolment_closed = The enrolment code is wrong, or enrolment is closed.
    .next = An adult opens enrolment from the adult's page and reads out the new code.
refusal-session_unknown = The session is over.
    .next = Show the badge again.
refusal-staff_required = Please sign in first.
    .next = Sign in with your badge and your code.
refusal-forbidden = This account may not do that.
    .next = Ask the head teacher or the DSI.
refusal-use_dpop_nonce = The tablet's proof must be made again.
    .next = The tablet tries again by itself with the nonce given.
refusal-proof_invalid = The tablet's proof does not hold.
    .next = Reload the page; if it goes on, enrol the tablet again.
refusal-proof_replayed = This proof was used before.
    .next = The tablet tries again by itself; if it goes on, tell the DSI.
refusal-malformed = The request is not of the expected form.
    .next = See the line and the column given.
refusal-not_found = There is nothing at this address.
    .next = Check the address.
refusal-method_not_allowed = This address does not answer to this method.
    .next = See the list of methods in the interface's description.
refusal-too_large = That is too large.
    .next = Send less at a time.
refusal-overloaded = Too many requests at once.
    .next = The tablet tries again by itself in a few seconds.
refusal-storage_failed = The box's disk does not take writes.
    .next = Sessions go on; call the DSI to have the box replaced.
refusal-failed = Something went wrong on our side.
    .next = Try again; if it goes on, give the number to the DSI.
refusal-claim_refused = This box code is not valid.
    .next = Ask the DSI for a new code.
refusal-claim_pending = The box waits for the DSI to confirm the three words.
    .next = Read the three words to the DSI, then wait.
refusal-roster_unreadable = This pupils' file cannot be read.
    .next = Mend the lines named, or export again from ONDE.
refusal-roster_suspicious = This file would remove too many pupils from the school.
    .next = Export the whole school from ONDE, or confirm with --force after reading the plan.

# Rosters: the cause, then what to do.
roster-empty = The file is empty.
    .next = Export the list of pupils from ONDE again.
roster-no-pupils = Line { $line }: there are column titles, but no pupil below them.
    .next = Export the list of pupils from ONDE again.
roster-too-large = The file has more than { $limit } bytes.
    .next = Send one file per school, without pictures or spreadsheets.
roster-too-many-rows = Line { $line }: more than { $limit } pupils in one file.
    .next = Send one file per school.
roster-not-text = This is not a text file.
    .next = Save it from the spreadsheet as CSV (separated by semicolons), or export it from ONDE again.
roster-wrong-encoding = Line { $line }: the accents of the column titles are damaged.
    .next = Send the file as ONDE gave it, or save it as “CSV UTF-8”.
roster-wrong-separator = Line { $line }: columns are separated by { $seen } instead of “;”.
    .next = Save it as CSV separated by semicolons, or send the file as ONDE gave it.
roster-no-header = Line { $line }: the first line looks like a pupil; the column titles are missing.
    .next = Put the line of titles back on top, or export it from ONDE again.
roster-missing-column = Line { $line }: the column “{ $column }” is missing (titles accepted: { $accepted }).
    .next = Add this column to the ONDE extraction.
roster-guardians = Line { $line }: this is the guardians' file; it is not needed here and was not read.
    .next = Export the list of pupils from ONDE.
roster-too-many-columns = Line { $line }: far too many columns.
    .next = Send the file as ONDE gave it.
roster-endless-cell = Line { $line }, column { $column }: the cell does not end; a quotation mark was probably left open.
    .next = Close the quotation mark of this line, or export the file from ONDE again.
roster-doubt-no-name = Line { $line }: the cell “{ $column }” is empty; the line is left out.
    .next = Complete the name in ONDE, then export again.
roster-doubt-empty = Line { $line }: the cell “{ $column }” is empty; the pupil is kept without it.
    .next = Complete the cell in ONDE once it is known.
roster-doubt-bad-date = Line { $line }: the cell “{ $column }” is not a date; the pupil is kept without it.
    .next = Write the date as DD/MM/YYYY.
roster-doubt-bad-ine = Line { $line }: the cell “{ $column }” does not have the shape of an INE; the pupil is kept without it.
    .next = Check the INE in ONDE: eleven characters.
roster-doubt-bad-sex = Line { $line }: the cell “{ $column }” is neither M nor F; the pupil is kept without it.
    .next = Correct the cell if it is needed.
roster-doubt-unknown-level = Line { $line }: the level is not known; the pupil gets the common settings.
    .next = Write PS, MS, GS, CP, CE1, CE2, CM1 or CM2.
roster-doubt-garbled = Line { $line }: the accents of the cell “{ $column }” are damaged; the line is left out.
    .next = Send the file as ONDE gave it.
roster-doubt-too-many-cells = Line { $line }: more cells than titles; the line is left out.
    .next = Look for a semicolon too many in this line.
roster-doubt-repeated = Line { $line }: this pupil is on line { $first } already; the line is left out.
    .next = Remove the extra line, or check the INE and the birth date.
roster-doubt-homonym = Line { $line }: a pupil of the same name is on line { $first }; both are kept.
    .next = Check that they are two pupils indeed.
roster-doubt-column-twice = Line { $line }: two columns mean “{ $column }”; the first is read.
    .next = Remove the extra column.

# Pages of the box: what they share.
page-noscript = This page needs JavaScript.
step-pages = open pages
step-storage = memory of the browser
step-downloads = downloads
step-clipboard = clipboard

# The tablet's page.
tablet-title = Préau: tablet
tablet-starting = The tablet is waking up…
tablet-enrol-title = Enrol this tablet
tablet-enrol-help = The teacher opens enrolment on their page and reads the code aloud.
tablet-enrol-code = Enrolment code
tablet-enrol-name = Name written on the tablet
tablet-enrol-example = Tablet 07
tablet-enrol-go = Enrol
tablet-ready-title = Show your badge
tablet-ready-type = or type the letters of your card
tablet-ready-pair = We are two
tablet-ready-account = I have an account
tablet-pair-title = Show your badges one after the other: { $count }
tablet-pair-go = Let's go!
tablet-go = Enter
tablet-back = Back
tablet-ok = All right
tablet-again = Try again
tablet-camera-turn = Other camera
tablet-camera-insecure = The camera works through a secure address (https) only.
tablet-camera-none = This tablet has no camera.
tablet-camera-refused = The camera is not allowed. The adult touches the padlock at the top, then “Allow”.
tablet-camera-busy = Another application uses the camera. Close it, then come back.
tablet-camera-broken = The camera does not answer.
tablet-camera-type = You can type the 8 letters written on your card.
tablet-insecure-title = This page was not opened by the right address
tablet-account-title = Enter with an account
tablet-account-name = Account
tablet-account-password = Password
tablet-secret-digits = Type your four digits
tablet-secret-pictures = Touch your three pictures
tablet-secret-have-pictures = I have pictures
tablet-secret-have-digits = I have digits
tablet-secret-wrong = Not quite. Try again, or call the teacher.
tablet-secret-erase = Erase
tablet-hello = Hello
tablet-apps = Applications
tablet-documents = Documents of the class
tablet-links = Links
tablet-nothing-yet = Nothing has been put here yet.
tablet-not-me = This is not me
tablet-sign-out = I am done
tablet-not-recorded = You can work, but the box cannot note that you came. An adult can tell the IT office.
tablet-goodbye = Goodbye { $name }!
tablet-wiping-title = Tidying the tablet
tablet-wiping-help = It clears everything, then it is ready.
tablet-unclean-title = The tablet is not quite tidy
tablet-unclean-help = An adult checks that nothing is left, then says so on their page: “I checked”.
tablet-unclean-steps = Not confirmed: { $steps }
tablet-stuck-title = Somebody is still signed in here
tablet-stuck-help = The adult ends the session from their page. Otherwise it closes by itself after ten minutes.
tablet-lost-title = This tablet is lost!
tablet-lost-help = Please bring it back to the school.
tablet-outing-title = This tablet is out of the school
tablet-outing-help = It comes back to class with the head.
tablet-retired-title = This tablet is no longer in service
tablet-retired-help = Take another tablet.
tablet-box-silent = The school's box does not answer. Trying again by itself.
tablet-page-failed = Something got stuck.
tablet-page-failed-next = Close this page and open it again; if it goes on, call an adult.
tablet-number = Number to give to the IT office: { $number }
tablet-call-title = Let us call the teacher
tablet-call-help = She is coming. You can also try again.
tablet-call-again = I try again
tablet-choose-pictures = Choose three pictures
tablet-choose-digits = Choose four digits
tablet-choose-again = Once more, to be sure
tablet-choose-other = That was not the same. Shall we start again?
tablet-choose-simple = This code is too easy to guess. Choose another one.
tablet-choose-keeping = Keeping your code…
tablet-choose-not-kept = Your code could not be kept. You will choose one another day.
tablet-choose-go-on = Go on
tablet-choose-later = Later
tablet-still-there = Are you still there?
tablet-still-here = Yes, I am here
tablet-still-there-all = Are you both still there?
tablet-still-here-all = Yes, we are here

# The teacher's page.
teacher-title = Préau: my class
teacher-starting = One moment…
teacher-brand = Préau
teacher-sign-in = Open my class
teacher-by-badge = Badge and code
teacher-by-account = Account
teacher-badge = Badge
teacher-pin = Personal code
teacher-account = Account
teacher-password = Password
teacher-scan = Read with the camera
teacher-no-camera = No camera is available here: type the code written on the badge.
teacher-go = Enter
teacher-ok = All right
teacher-cancel = Go back
teacher-hello = Hello { $name }
teacher-leave = Sign out
teacher-classes = My classes
teacher-no-class = No class is entrusted to you. The head can entrust you with one.
teacher-count = { $count } of { $total }
teacher-filter-all = All
teacher-filter-seated = On a tablet
teacher-filter-waiting = Not yet
teacher-nobody = Nobody here for now.
teacher-not-seated = Not on a tablet
teacher-since = for { $minutes } min
teacher-since-now = just now
teacher-let-in = Let in
teacher-let-in-title = Let { $name } in
teacher-let-in-help = Touch the tablet that the child holds: it opens within seconds.
teacher-let-in-none = No tablet is free. End a session, or wait until tidying is over.
teacher-end = End
teacher-end-title = End { $name }'s session on { $tablet }?
teacher-end-help = The tablet goes back to reading badges and clears what is left. What was saved stays saved.
teacher-badge-lost = Lost badge…
teacher-no-badge = No badge
teacher-void = Void the badge
teacher-void-title = Void { $name }'s badge?
teacher-void-help = It stops working on every tablet, at once and for good, even if it is found again.
teacher-void-next = For today, “Let in” is enough. A new badge for { $name } is printed afterwards.
teacher-checked = I checked
teacher-checked-title = { $tablet }: is nothing left of the last child?
teacher-checked-steps = What the tablet could not confirm: { $steps }.
teacher-checked-help = Look at open pages, photos and downloads. Your name is noted with this check.
teacher-wiping = is being tidied.
teacher-wiping-stuck = could not clear everything: please check.
teacher-tablets = Tablets: { $count } of { $total } free
teacher-state-free = free
teacher-state-in-use = in use
teacher-state-wiping = being tidied
teacher-state-lost = lost
teacher-state-outing = outside
teacher-state-retired = out of service
teacher-state-unknown = never seen
teacher-enrol = Enrol tablets
teacher-enrol-title = Enrolment code
teacher-enrol-help = On each tablet: open the page, type this code and the name on its back.
teacher-enrol-until = Good for { $minutes } more minutes and { $count } tablets.
teacher-pin-missing = The personal code is missing.
teacher-pin-wrong = This is not the right code. The head can give a new one, even without the Internet.
teacher-locked-out = Too many tries. Wait a few minutes, or ask the head.
teacher-pin-title = Your code again
teacher-pin-again = Personal code or password
teacher-box-silent = The school's box does not answer. What you see is older; the page tries again by itself.
teacher-wan-down = The Internet is down: class goes on, everything is kept in the school.
teacher-page-failed = Something got stuck in this page.
teacher-page-failed-next = Reload the page; if it goes on, tell the IT office.
teacher-number = Number to give to the IT office: { $number }

# Sessions: what the box says by itself.
sign-in-guest = Guest

# DSI: what the coordinator answers.
refusal-roster_outdated = The school changed since this plan was shown.
    .next = Send the file again, then read the new plan.
refusal-roster_not_last = Only the last applied import of a school can be taken back.
    .next = Take the newer import back first, or send a mended file.
refusal-administrator_required = Please sign in to the coordinator first.
    .next = Sign in on the page /login, or send the API's token.
roster-doubt-same-person = Line { $line }: a pupil of that name is there already, but nothing proves that it is the same one.
    .next = Add the INE or mend the birth date; until then nothing changes for this line.
dsi-trouble-quarantine = Changes of this box were set aside. Update the box, then call support if it stays so.
dsi-trouble-digest = Box and coordinator do not hold the same documents. Restart the box; if it stays so, replace it.
dsi-trouble-gap = A stretch of entries is missing between box and coordinator. Restart the box; if it stays so, call support.
dsi-trouble-clone = A disk of this school was restored or copied. Check that only one machine carries this name.
dsi-trouble-lost = The coordinator was restored from a backup that is too old: some of what this school wrote is kept nowhere any more. See the list, then restore a newer backup if there is one.
dsi-trouble-too-old = The box is too old to synchronise. Update it; nothing is lost.
dsi-trouble-voids = More than one in five of the school's badges were made void at this box within a day. Ask the head whether that was meant; new badges can be printed at once.
dsi-trouble-certificate = The box's certificate ends within 14 days. Leave it connected: it renews by itself.

# DSI: the page of schools.
dsi-title = Schools
dsi-product = Préau
dsi-sign-out = Sign out
dsi-skip = Go to the table of schools
dsi-noscript = Without JavaScript this page does not renew itself: reload it for the present state.
dsi-live = Live
dsi-connecting = Connecting…
dsi-lost = Connection lost, last state { $ago }
dsi-summary-none = No school yet.
dsi-summary-well = { $many ->
    [one] The school is up to date.
   *[other] All { $n } schools are up to date.
 }
dsi-summary-all = { $many ->
    [one] 1 school: { $parts }.
   *[other] { $n } schools: { $parts }.
 }
dsi-summary-offline = { $n } out of contact
dsi-summary-attention = { $n } to look at
dsi-summary-catching-up = { $n } catching up
dsi-summary-never-seen = { $n } waiting for a box
dsi-summary-rest = { $n } up to date
dsi-summary-offline-note = Out of contact, classes go on: the school's own box answers.
dsi-fact-in-use = tablets in use
dsi-fact-signed-in = people signed in
dsi-fact-unsynced = entries waiting
dsi-fact-unknown = schools whose waiting is unknown
dsi-empty-title = The préau is still empty
dsi-empty-text = Add the first school, import its ONDE list, then plug its box in: it shows up here by itself.
dsi-empty-command = preau school add
dsi-column-school = School
dsi-column-state = State
dsi-column-contact = Last contact
dsi-column-unsynced = Not here yet
dsi-column-lag = Delay
dsi-column-tablets = Tablets
dsi-column-signed-in = Signed in
dsi-column-box = Box
dsi-caption = Schools of the territory, those in trouble first
dsi-state-never_seen = Never seen
dsi-state-offline = Out of contact
dsi-state-attention = Needs a look
dsi-state-catching_up = Catching up
dsi-state-in_sync = Up to date
dsi-contact-never = never
dsi-unsynced-none = nothing
dsi-unsynced = { $many ->
    [one] 1 entry
   *[other] { $n } entries
 }
dsi-unsynced-files = { $many ->
    [one] + 1 file
   *[other] + { $n } files
 }
dsi-unsynced-oldest = the oldest: { $age }
dsi-unsynced-last-none = nothing at last contact
dsi-unsynced-last = { $many ->
    [one] 1 entry at last contact
   *[other] { $n } entries at last contact
 }
dsi-unsynced-unknown = unknown for { $age }
dsi-unsynced-never = unknown
dsi-lag-none = not measured yet
dsi-tablets-in-use = in use
dsi-tablets-wiping = { $n } being wiped
dsi-tablets-lost = { $n } lost
dsi-tablets-none = none enrolled
dsi-of-total = of { $total }
dsi-at-last-contact = at last contact
dsi-clock-synchronised = clock right
dsi-clock-carried = clock carried over
dsi-clock-unknown = clock unknown
dsi-version = version { $version }
dsi-blocklist = lists { $version }
dsi-boxes = { $many ->
    [none] no box
    [one] 1 box
   *[other] { $n } boxes
 }
dsi-certificate = certificate: { $days } d
dsi-error = Last error
dsi-entries = { $many ->
    [one] 1 entry received
   *[other] { $n } entries received
 }
dsi-ago-now = just now
dsi-ago = { $age } ago
dsi-age-s = { $n } s
dsi-age-min = { $n } min
dsi-age-h = { $n } h
dsi-age-h-min = { $n } h { $m } min
dsi-age-d = { $n } d
dsi-login-title = DSI sign-in
dsi-login-text = This page shows where each school stands. It holds no pupil's name.
dsi-login-user = User
dsi-login-password = Password
dsi-login-enter = Enter
dsi-login-wrong = User or password is wrong.
dsi-login-wait = Too many tries. Try again in { $seconds } seconds.
dsi-login-again = The session is over: please sign in again.
dsi-failed = The coordinator could not read its state. Reload; if it goes on, look at the service's log.

## On paper

print-found = Found a badge? Please bring it back to the school.
print-foot = { $name } · page { $count } of { $total }
