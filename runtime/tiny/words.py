"""What the text of `builtin:tiny` is built from: things people write about, and ways in which they write about them.

All of it was written for this project. `corpus.py` combines it; nothing here knows how.
"""

from __future__ import annotations

# domain -> things that a person has a question about, each in the singular and without article
THINGS: dict[str, tuple[str, ...]] = {
    "banking": (
        "card", "credit card", "debit card", "bank account", "savings account", "payment", "transfer", "cash machine",
        "cash withdrawal", "exchange rate", "foreign currency", "direct debit", "standing order", "balance", "statement",
        "pin code", "fee", "loan", "mortgage", "cheque", "deposit", "identity check", "app", "security code",
    ),
    "shop": (
        "order", "parcel", "delivery", "refund", "return label", "gift card", "discount code", "invoice", "basket",
        "jacket", "pair of shoes", "size chart", "warranty", "replacement", "shop", "price", "stock", "wish list",
    ),
    "travel": (
        "flight", "train ticket", "hotel room", "booking", "seat", "passport", "visa", "suitcase", "boarding pass",
        "rental car", "airport shuttle", "travel insurance", "connection", "platform", "tour", "map", "taxi",
    ),
    "health": (
        "appointment", "prescription", "blood test", "vaccination", "doctor", "dentist", "clinic", "pharmacy",
        "headache", "back pain", "fever", "allergy", "diet", "sleep", "insurance card", "report", "medicine", "dose",
    ),
    "telecom": (
        "phone", "sim card", "contract", "data plan", "roaming", "voicemail", "router", "internet connection",
        "phone number", "signal", "bill", "tablet", "charger", "battery", "screen", "update", "message",
    ),
    "software": (
        "password", "user name", "login", "account", "profile", "file", "backup", "server", "database", "website",
        "email", "calendar", "printer", "licence", "subscription", "notification", "search", "report builder",
        "crash", "error message", "dark mode", "language setting", "two factor code", "sign up form",
    ),
    "home": (
        "heating", "washing machine", "dishwasher", "fridge", "oven", "lamp", "door lock", "window", "kitchen", "sofa",
        "garden", "rent", "lease", "water bill", "electricity meter", "smoke alarm", "neighbour", "key", "cleaner",
    ),
    "food": (
        "table", "menu", "pizza", "salad", "coffee", "recipe", "lunch", "dinner", "cake", "vegetarian dish", "kitchen",
        "breakfast", "wine list", "supermarket", "bread", "soup", "tip", "reservation",
    ),
    "school": (
        "course", "exam", "homework", "teacher", "grade", "library book", "timetable", "scholarship", "campus",
        "student card", "lecture", "essay", "semester", "certificate", "tuition", "classroom",
    ),
    "work": (
        "salary", "payslip", "holiday request", "sick leave", "meeting", "office", "manager", "contract of employment",
        "overtime", "expense report", "laptop", "badge", "parking space", "training", "interview", "job offer",
    ),
    "insurance": (
        "policy", "claim", "premium", "accident", "damage report", "cover", "deductible", "beneficiary", "agent",
        "renewal", "car insurance", "home insurance", "proof of insurance", "quote",
    ),
    "city": (
        "bus", "parking permit", "library", "park", "museum", "waste collection", "street light", "town hall",
        "birth certificate", "driving licence", "tax return", "fine", "bicycle", "swimming pool", "address",
    ),
}  # fmt: skip

# what is the matter, as the label says it -> ways to say it of a thing
MATTERS: dict[str, tuple[str, ...]] = {
    "lost": ("i lost my {}", "my {} is lost", "i can't find my {} anywhere", "i have left my {} somewhere", "where is my {}? i think it is gone"),
    "stolen": ("my {} was stolen", "someone took my {}", "a thief has my {}", "somebody stole my {} yesterday", "i was robbed and they took the {}"),
    "not_working": ("my {} is not working", "the {} does not work", "why doesn't my {} work?", "the {} stopped working today", "i tried the {} but nothing happened", "my {} won't work"),
    "broken": ("the {} is broken", "my {} broke", "the {} is damaged", "i dropped my {} and it broke", "the {} arrived damaged"),
    "not_received": ("i have not received my {}", "my {} still has not arrived", "the {} never arrived", "i am still waiting for my {}", "it has been a week and there is no {}"),
    "delayed": ("my {} is late", "why is the {} delayed?", "the {} takes too long", "how much longer will the {} take?", "the {} should have been here by now"),
    "timing": ("how long does the {} take?", "when will my {} be ready?", "when can i expect the {}?", "how many days until i get my {}?", "how soon will the {} be done?"),
    "status": ("what is the status of my {}?", "can i track my {}?", "how do i follow my {}?", "is there any news about my {}?", "has my {} gone through yet?"),
    "cost": ("how much does the {} cost?", "what is the price of the {}?", "what do i pay for a {}?", "is the {} expensive?", "do you charge for the {}?"),
    "free_of_charge": ("is the {} free?", "can i get the {} for free?", "do i have to pay for the {}?", "is there no cost for the {}?"),
    "charged_twice": ("i was charged twice for the {}", "i paid for the {} two times", "the {} was billed double", "why do i see the {} twice?", "there is a duplicate {} on my bill"),
    "extra_charge": ("there is an extra charge for my {}", "why was i charged a fee for the {}?", "i see a strange fee on my {}", "what is this additional cost for the {}?", "you took too much money for the {}"),
    "wrong": ("the {} is wrong", "i got the wrong {}", "that is not the right {}", "the {} is incorrect", "there is a mistake in my {}"),
    "cancel": ("i want to cancel my {}", "please cancel the {}", "how do i cancel a {}?", "can i still stop the {}?", "i no longer need the {}"),
    "change": ("i would like to change my {}", "how can i change the {}?", "can i switch to another {}?", "i need to edit my {}", "please update my {}"),
    "order": ("i want to order a {}", "how do i get a {}?", "can you send me a {}?", "where can i get a new {}?", "i need a {}"),
    "second": ("can i have a second {}?", "i need another {}", "may i get one more {}?", "can i get an additional {} for my family?", "is it possible to have two of the {}?"),
    "refund": ("i want my money back for the {}", "can i get a refund for the {}?", "please refund my {}", "how do i ask for a refund of the {}?", "my refund for the {} is missing"),
    "declined": ("my {} was declined", "why was the {} refused?", "the {} got rejected", "they did not accept my {}", "it says that my {} is declined"),
    "failed": ("my {} failed", "the {} did not go through", "why did the {} fail?", "the {} could not be completed", "i keep getting a failed {}"),
    "pending": ("my {} is still pending", "why is the {} pending?", "the {} has been pending for hours", "how long will the {} stay pending?", "the {} is stuck"),
    "blocked": ("my {} is blocked", "the {} has been locked", "how do i unlock my {}?", "i tried too many times and now the {} is blocked", "please unblock the {}"),
    "forgotten": ("i forgot my {}", "i can't remember my {}", "what do i do if i have forgotten the {}?", "how can i reset my {}?", "my {} slipped my mind"),
    "activate": ("how do i activate my {}?", "i want to activate the {}", "where can i switch on the {}?", "my new {} has to be activated", "turn on my {}"),
    "verify": ("how do i verify my {}?", "you ask me to verify the {}", "i can't prove my {}", "what do you need to check my {}?", "verification of my {} is not done"),
    "why_needed": ("why do you need my {}?", "why must i give you the {}?", "is it necessary to have a {}?", "what do you use the {} for?", "do i really need a {}?"),
    "limit": ("is there a limit on the {}?", "what is the maximum for the {}?", "how many times can i use the {}?", "i have reached the limit of my {}", "can you raise the limit of the {}?"),
    "expired": ("my {} has expired", "the {} is about to expire", "how long is the {} valid?", "the {} runs out next month", "what happens when my {} expires?"),
    "supported": ("do you support the {}?", "does it work with my {}?", "which kinds of {} do you accept?", "can i use a {} with you?", "in which countries does the {} work?"),
    "unknown": ("i do not recognise this {}", "there is a {} that i did not make", "someone else made a {} in my name", "what is this {}? it is not mine", "i never asked for this {}"),
    "missing": ("the {} is missing", "there is no {}", "i can't see the {}", "the {} does not show up", "why is the {} not there?"),
    "open": ("how do i open a {}?", "i would like to start a new {}", "can anyone open a {}?", "how old must i be for a {}?", "set up a {} for me"),
    "close": ("i want to close my {}", "please delete my {}", "how do i end my {}?", "remove the {} for good", "i am unhappy and want to leave, close the {}"),
    "add": ("how do i add a {}?", "i want to add money to the {}", "can i link my {}?", "where do i put in the {}?", "please connect the {}"),
    "abroad": ("can i use the {} abroad?", "i am travelling and need my {}", "does the {} work in another country?", "will the {} be accepted in europe?", "i am on holiday and the {} does not work"),
    "information": ("tell me about the {}", "i have a question about the {}", "how does the {} work?", "what is a {}?", "where do i find information about the {}?"),
    "complaint": ("i am very unhappy with the {}", "the {} is terrible", "i want to complain about the {}", "this {} is the worst", "the {} was a disappointment"),
    "praise": ("i love the {}", "the {} is great", "thank you for the {}", "what a lovely {}", "the {} was wonderful"),
    "opening_hours": ("when does the {} open?", "until when is the {} open?", "is the {} open on sunday?", "what are the hours of the {}?"),
    "book": ("i would like to book a {}", "can i reserve a {}?", "please book the {} for two", "is there a {} free tomorrow?"),
}  # fmt: skip

OPENINGS: tuple[str, ...] = (
    "", "", "", "", "", "hi, ", "hello, ", "hello! ", "hey, ", "please help. ", "please, ", "good morning, ", "sorry, ", "excuse me, ",
    "can you help me? ", "i need help. ", "quick question: ", "ok so ", "i am worried. ", "help! ",
)  # fmt: skip
CLOSINGS: tuple[str, ...] = (
    "", "", "", "", "", "", " thanks", " thank you", " please", " what should i do?", " can you help?", " it is urgent", " i need it soon",
    " since yesterday", " this morning", " since last week", " what happened?", " what can i do now?", " please advise",
)  # fmt: skip

NAMES: tuple[str, ...] = (
    "Ana", "Ben", "Chen", "Dora", "Emil", "Fatima", "Goran", "Hana", "Ivan", "Julia", "Karim", "Lena", "Marco", "Nina",
    "Omar", "Petra", "Quinn", "Rosa", "Sami", "Tara", "Umar", "Vera", "Wei", "Yara", "Zoe",
)  # fmt: skip
PLACES: tuple[str, ...] = (
    "Berlin", "Paris", "Rome", "Madrid", "London", "Vienna", "Oslo", "Athens", "Cairo", "Lima", "Tokyo", "Delhi", "Nairobi",
    "Boston", "Toronto", "Lisbon", "Prague", "Dublin",
)  # fmt: skip
DAYS: tuple[str, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
COLOURS: tuple[str, ...] = ("red", "blue", "green", "yellow", "black", "white", "brown", "grey", "orange", "purple")
QUALITIES: tuple[tuple[str, str], ...] = (
    ("good", "bad"), ("big", "small"), ("fast", "slow"), ("new", "old"), ("warm", "cold"), ("easy", "hard"), ("clean", "dirty"),
    ("happy", "sad"), ("cheap", "expensive"), ("strong", "weak"), ("early", "late"), ("open", "closed"), ("full", "empty"),
    ("light", "heavy"), ("loud", "quiet"), ("safe", "dangerous"), ("right", "wrong"), ("rich", "poor"),
)  # fmt: skip
FACTS: tuple[tuple[str, str], ...] = (
    ("What is the capital of France?", "Paris"), ("What is the capital of Italy?", "Rome"),
    ("What is the capital of Spain?", "Madrid"), ("What is the capital of Germany?", "Berlin"),
    ("What is the capital of Japan?", "Tokyo"), ("What is the capital of Egypt?", "Cairo"),
    ("How many days has a week?", "seven"), ("How many months has a year?", "twelve"),
    ("What colour is the sky?", "blue"), ("What colour is grass?", "green"), ("What do bees make?", "honey"),
    ("What is ice made of?", "water"), ("What do we breathe?", "air"), ("What does a cow give?", "milk"),
    ("Which animal barks?", "a dog"), ("Which animal says meow?", "a cat"), ("Where do fish live?", "in water"),
    ("What is the opposite of day?", "night"), ("What comes after Monday?", "Tuesday"),
    ("What do you use to write?", "a pen"), ("What shines at night?", "the moon"), ("What is two plus two?", "4"),
)  # fmt: skip

# common words, so that the tokenizer keeps them whole and the model has seen each of them
COMMON: tuple[str, ...] = tuple(
    """
    the a an and or but if then because so that this these those there here what which who whom whose when where why how
    i you he she it we they me him her us them my your his its our their mine yours myself yourself itself someone
    anyone everyone nobody something anything everything nothing each every either neither both all some any many much
    more most few less least enough several other another same different such own only just even also too very quite
    rather almost already still yet again once twice never always often sometimes usually soon later now today tomorrow
    yesterday tonight morning evening week month year hour minute day days weeks months hours minutes date moment time
    times before after during while until since from to into onto out of off on in at by for with without within about
    above below over under between among through across against around along behind beside near far away back forward
    up down left right be am is are was were been being do does did done doing have has had having can could will would
    shall should may might must need needs needed want wants wanted like likes liked know knew known think thought see
    saw seen look looks looking find found give gave given get gets got getting go goes went gone going come came coming
    take took taken taking make made making put set let keep kept hold held bring brought send sent sending receive
    received receiving show showed shown showing tell told say said saying ask asked asking answer answered call called
    calling write wrote written read try tried trying use used using work worked working happen happened happening
    change changed changing move moved moving start started starting stop stopped begin began end ended finish finished
    wait waiting waited help helped helping pay paid paying payment payments buy bought sell sold cost costs charge
    charged charges charging fee fees price prices money cash amount total bill bank account accounts card cards
    transfer transfers transferred transaction transactions balance currency currencies dollar dollars euro euros pound
    pounds rate rates exchange exchanged deposit deposited withdraw withdrawal withdrawals top topping topped limit
    limits limited virtual physical plastic disposable spare mobile online digital contactless chip machine machines
    store stores merchant seller purchase purchased purchases item items order orders ordered delivery delivered arrive
    arrived arrives arriving mail post address name names number numbers code codes pin password passcode phone
    telephone email message messages app apps website internet link linked linking add added adding remove removed
    delete deleted close closed closing open opened opening activate activated activation verify verified verification
    identity identify proof document documents passport photo picture source sources fund funds funding salary income
    employer job country countries abroad foreign local national international europe european american english
    language travel traveling trip holiday vacation home house family child children kid kids son daughter wife husband
    friend friends people person man woman age old young new late early long short high low big small large great good
    bad better best worse worst right wrong true false correct incorrect possible impossible able unable available
    ready sure certain clear easy hard difficult simple fast slow quick quickly slowly safe secure security safely
    problem problems issue issues error errors mistake mistakes question questions reason reasons way ways thing things
    part parts place places kind kinds type types case cases point fact example list line side hand lost lose losing
    stolen steal stole theft fraud compromised block blocked blocking unblock freeze frozen declined decline denied
    refused reject rejected rejection accept accepted accepting acceptance allow allowed permit pending process
    processed processing complete completed cancel cancelled canceled cancelling cancellation fail failed failing
    failure fails revert reverted reversed return returned returns refund refunded refunds request requested requests
    require required requirement duplicate double extra additional missing disappear disappeared gone recognise
    recognised recognize recognized unknown strange weird odd suspicious unauthorized unexpected updated update updates
    show appears appear appeared visible expire expired expires expiration valid replace replaced replacement renew
    track tracking status estimate estimated expect expected expecting supposed express standard weekend support
    supported supports supporting service services customer customers team agent contact please thanks thank sorry
    hello hi hey yes no not okay ok maybe perhaps really actually currently recently immediately instantly automatically
    automatic direct debit credit cheque check checks checked checking standing statement history details detail
    personal information info data edit profile settings option options choose chose choice select selected feature
    features beneficiary recipient sender receiver transferring approved approve approval confirm confirmed
    confirmation minimum maximum free discount extra twice visa mastercard apple google watch swallowed stuck ate
    inside outside broken damaged fix fixed repair reset forget forgot forgotten remember enter entered typed type
    attempts attempt multiple first second third last next previous one two three four five six seven eight nine ten
    half hundred thousand percent tax policy terms rules law legal state city town street road car bus train plane
    hotel restaurant food water room door window table book paper pen school student teacher class lesson doctor
    hospital medicine health body head hand eye heart life world earth sun moon star sky sea river mountain tree flower
    animal dog cat bird fish horse music song film game play played player team sport run walk sit stand sleep eat drink
    cook clean wash open cut draw paint learn study teach understand understood mean means meant explain believe hope
    feel felt love hate happy sad angry worried afraid tired busy free rich poor strong weak hot cold warm cool dry wet
    clean dirty full empty heavy light dark bright red blue green yellow black white brown grey colour
    """.split()
)
COMMON = tuple(dict.fromkeys(COMMON))
