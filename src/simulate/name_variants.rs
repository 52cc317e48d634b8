//! What names turn into: short forms, other spellings, names that people add. Written for this simulator.

/// Given names with what they are called for short.
pub(super) const NICKNAMES: &[(&str, &[&str])] = &[
    ("Elizabeth", &["Liz", "Beth", "Lizzie", "Betty"]), ("Catherine", &["Cathy", "Kate", "Katie"]),
    ("Margaret", &["Maggie", "Peggy", "Meg"]), ("Rebecca", &["Becky", "Becca"]), ("Jessica", &["Jess", "Jessie"]),
    ("Charlotte", &["Charlie", "Lottie"]), ("Samantha", &["Sam", "Sammy"]), ("Victoria", &["Vicky", "Tori"]),
    ("Natalie", &["Nat"]), ("Danielle", &["Dani"]), ("Jennifer", &["Jen", "Jenny"]), ("Olivia", &["Liv"]),
    ("Joanne", &["Jo"]), ("Amanda", &["Mandy"]), ("Susan", &["Sue", "Susie"]), ("Christine", &["Chris", "Chrissie"]),
    ("Patricia", &["Pat", "Trish"]), ("Deborah", &["Debbie", "Deb"]), ("Jacqueline", &["Jackie"]),
    ("Abigail", &["Abby"]), ("Bethany", &["Beth"]), ("Eleanor", &["Ellie", "Nell"]), ("Alison", &["Ali"]),
    ("Katie", &["Kate"]), ("Nicola", &["Nicky", "Nikki"]), ("Michelle", &["Shelly"]),
    ("Isabella", &["Bella", "Izzy"]), ("Isobel", &["Izzy"]), ("Matilda", &["Tilly"]), ("Theresa", &["Terri", "Tess"]),
    ("Josephine", &["Jo", "Josie"]), ("Philippa", &["Pippa"]), ("Gillian", &["Gill"]), ("Beverley", &["Bev"]),
    ("Frances", &["Fran"]), ("Daniel", &["Dan", "Danny"]), ("Thomas", &["Tom", "Tommy"]), ("Matthew", &["Matt"]),
    ("Christopher", &["Chris"]), ("David", &["Dave"]), ("Michael", &["Mike", "Mick", "Mickey"]),
    ("Andrew", &["Andy", "Drew"]), ("Joshua", &["Josh"]), ("Robert", &["Rob", "Bob", "Bobby"]),
    ("Benjamin", &["Ben"]), ("Samuel", &["Sam"]), ("Joseph", &["Joe", "Joey"]),
    ("Richard", &["Rich", "Rick", "Dick"]), ("Stephen", &["Steve"]), ("Steven", &["Steve"]),
    ("James", &["Jim", "Jimmy", "Jamie"]), ("John", &["Jack", "Johnny"]), ("William", &["Will", "Bill", "Billy"]),
    ("Anthony", &["Tony", "Ant"]), ("Alexander", &["Alex", "Sandy"]), ("Jonathan", &["Jon", "Jonny"]),
    ("Nicholas", &["Nick", "Nicky"]), ("Philip", &["Phil"]), ("Terence", &["Terry"]), ("Raymond", &["Ray"]),
    ("Kenneth", &["Ken", "Kenny"]), ("Henry", &["Harry"]), ("Edward", &["Ed", "Eddie", "Ted"]), ("Timothy", &["Tim"]),
    ("Gregory", &["Greg"]), ("Russell", &["Russ"]), ("Geoffrey", &["Geoff"]), ("Frederick", &["Fred", "Freddie"]),
    ("Leonard", &["Len", "Lenny"]), ("Bradley", &["Brad"]), ("Nathan", &["Nate"]), ("Gary", &["Gaz"]),
    ("Darren", &["Daz"]), ("Małgorzata", &["Gosia"]), ("Katarzyna", &["Kasia"]), ("Aleksandra", &["Ola"]),
    ("Krzysztof", &["Krzysiek"]), ("Tomasz", &["Tomek"]), ("Oleksandr", &["Sasha"]), ("Kateryna", &["Katya"]),
    ("Oluwaseun", &["Seun"]), ("Temitope", &["Temi"]), ("Oluwatobi", &["Tobi"]), ("Francisco", &["Paco"]),
    ("José", &["Pepe"]),
];

/// Spellings of one name that clerks use for each other.
pub(super) const SPELLINGS: &[&[&str]] = &[
    &["Mohammed", "Muhammad", "Mohamed", "Mohammad", "Muhammed", "Md"], &["Ahmed", "Ahmad", "Achmed"],
    &["Hussain", "Hussein", "Husain", "Hossain"], &["Yusuf", "Yousef", "Yusef", "Youssef"],
    &["Fatima", "Fatimah", "Fatema", "Fathima"], &["Ayesha", "Aisha", "Aysha", "Aicha"],
    &["Khadija", "Khadijah", "Khadeja"], &["Maryam", "Mariam", "Miriam"], &["Zainab", "Zaynab", "Zeinab"],
    &["Omar", "Umar", "Omer"], &["Ibrahim", "Ebrahim", "Ibraheem"], &["Khalid", "Khaled"],
    &["Tariq", "Tarek", "Tarik"], &["Rashid", "Rasheed"], &["Abdullah", "Abdallah", "Abdulla"],
    &["Rahman", "Rehman", "Rahaman"], &["Chowdhury", "Choudhury", "Chaudhry", "Choudhry"], &["Miah", "Mia", "Miya"],
    &["Begum", "Begom", "Begam"], &["Oleksandr", "Aleksandr", "Alexander", "Olexandr"],
    &["Serhii", "Sergii", "Sergey", "Sergiy"], &["Andrii", "Andriy", "Andrey"],
    &["Volodymyr", "Vladimir", "Volodimir"], &["Mykola", "Nikolai", "Nikolay"], &["Yurii", "Yuriy", "Yuri"],
    &["Dmytro", "Dmitry", "Dmitri"], &["Olena", "Elena", "Helena"], &["Kateryna", "Ekaterina", "Katerina"],
    &["Iryna", "Irina"], &["Nataliia", "Natalia", "Nataliya"], &["Yuliia", "Yulia", "Julia", "Yuliya"],
    &["Hanna", "Anna", "Ganna"], &["Gurpreet", "Gurprit"], &["Sukhdeep", "Sukhdip"], &["Jaswinder", "Jasvinder"],
    &["Balwinder", "Balvinder"], &["Mengistu", "Mengestu"], &["Dawit", "David"], &["Stephen", "Steven"],
    &["Catherine", "Katherine", "Kathryn", "Katharine"], &["Clarke", "Clark"], &["Reid", "Reed", "Read"],
    &["Stewart", "Stuart"], &["MacDonald", "McDonald", "Mcdonald"], &["Geoffrey", "Jeffrey"], &["Sarah", "Sara"],
    &["Claire", "Clare"], &["Hayley", "Hailey"], &["Tracey", "Tracy"], &["Stacey", "Stacy"], &["Lee", "Leigh"],
    &["Sean", "Shaun", "Shawn"], &["Ashley", "Ashleigh"], &["Philip", "Phillip"], &["Alan", "Allan", "Allen"],
    &["Isobel", "Isabel", "Isabelle"],
];

/// English names that some add.
pub(super) const CHINESE_ENGLISH: &[&str] = &[
    "Kevin", "Jenny", "Amy", "Tony", "Eric", "Grace", "Vivian", "Jason", "Winnie", "Alan", "Cindy", "Raymond",
];
