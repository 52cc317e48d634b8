//! Names, commonest first in each table. Written for this simulator; frequencies come from the order (`Dice::rank`).

/// English and Irish given names, women.
pub(super) const ENGLISH_WOMEN: &[&str] = &[
    "Sarah", "Emma", "Laura", "Rebecca", "Jessica", "Charlotte", "Sophie", "Amy", "Hannah", "Gemma", "Lauren",
    "Claire", "Chloe", "Victoria", "Emily", "Katie", "Lisa", "Samantha", "Rachel", "Nicola", "Kelly", "Michelle",
    "Louise", "Natalie", "Danielle", "Jennifer", "Stacey", "Olivia", "Megan", "Lucy", "Leanne", "Kirsty", "Zoe",
    "Joanne", "Amanda", "Julie", "Karen", "Susan", "Tracey", "Alison", "Helen", "Jane", "Catherine", "Elizabeth",
    "Margaret", "Christine", "Patricia", "Deborah", "Jacqueline", "Georgia", "Amelia", "Ellie", "Grace", "Abigail",
    "Holly", "Bethany", "Jade", "Molly", "Shannon", "Paige", "Alice", "Eleanor", "Caitlin", "Naomi", "Hayley",
    "Cheryl", "Kerry", "Donna", "Tina", "Wendy", "Sandra", "Linda", "Maria", "Angela", "Carol", "Maureen", "Jean",
    "Dorothy", "Isabella", "Mia", "Poppy", "Freya", "Lily", "Evie", "Ruby", "Scarlett", "Daisy", "Phoebe", "Isobel",
    "Imogen", "Harriet", "Matilda", "Siobhan", "Niamh", "Bronwyn", "Carly", "Tara", "Vanessa", "Melissa", "Heather",
    "Lorraine", "Theresa", "Frances", "Josephine", "Philippa", "Rosemary", "Gillian", "Lesley", "Beverley", "Yvonne",
    "Denise", "Marie", "Bernadette", "Tamsin", "Verity", "Cordelia", "Winifred", "Tabitha",
];

/// English and Irish given names, men.
pub(super) const ENGLISH_MEN: &[&str] = &[
    "James", "Daniel", "Thomas", "Matthew", "Christopher", "David", "Michael", "Andrew", "Jack", "Joshua", "Ryan",
    "Robert", "Luke", "Paul", "Mark", "Lee", "Adam", "Benjamin", "Samuel", "Joseph", "Richard", "Stephen", "Craig",
    "Jamie", "Liam", "Jordan", "Connor", "Ashley", "Scott", "Nathan", "Kieran", "Aaron", "Lewis", "Kyle", "Callum",
    "John", "William", "Simon", "Kevin", "Gary", "Darren", "Jason", "Steven", "Martin", "Peter", "Anthony",
    "Alexander", "Jonathan", "Stuart", "Wayne", "Dean", "Carl", "Shane", "Nicholas", "Philip", "Ian", "Neil",
    "Graham", "Keith", "Alan", "Brian", "Barry", "Terence", "Raymond", "Kenneth", "Oliver", "Harry", "George",
    "Charlie", "Jacob", "Alfie", "Oscar", "Archie", "Henry", "Leo", "Ethan", "Mason", "Tyler", "Brandon", "Reece",
    "Bradley", "Dominic", "Patrick", "Sean", "Declan", "Gareth", "Rhys", "Owen", "Edward", "Timothy", "Gregory",
    "Russell", "Trevor", "Derek", "Colin", "Geoffrey", "Roger", "Dennis", "Malcolm", "Gordon", "Duncan", "Marcus",
    "Elliot", "Toby", "Zachary", "Frederick", "Albert", "Arthur", "Stanley", "Clive", "Leonard", "Maxwell", "Jasper",
    "Rupert", "Sebastian", "Barnaby", "Quentin",
];

/// English, Scottish, Welsh and Irish family names.
pub(super) const ENGLISH_FAMILIES: &[&str] = &[
    "Smith", "Jones", "Taylor", "Brown", "Williams", "Wilson", "Johnson", "Davies", "Robinson", "Wright", "Thompson",
    "Evans", "Walker", "White", "Roberts", "Green", "Hall", "Wood", "Jackson", "Clarke", "Harris", "Edwards",
    "Turner", "Martin", "Cooper", "Hill", "Ward", "Hughes", "Moore", "Clark", "King", "Harrison", "Lewis", "Baker",
    "Lee", "Morris", "Allen", "Scott", "Watson", "Parker", "Bennett", "Young", "Cook", "Richardson", "James",
    "Carter", "Collins", "Adams", "Bailey", "Cox", "Mitchell", "Phillips", "Shaw", "Bell", "Murphy", "Miller",
    "Richards", "Marshall", "Simpson", "Price", "Anderson", "Rogers", "Gray", "Stevens", "Webb", "Mills", "Foster",
    "Palmer", "Chapman", "Hunt", "Knight", "Kelly", "Butler", "Barnes", "Russell", "Matthews", "Powell", "Campbell",
    "Mason", "Lloyd", "Fisher", "Holmes", "Barker", "Dixon", "Ellis", "Fletcher", "Stone", "Pearce", "Reynolds",
    "Saunders", "West", "Dean", "Hart", "Burton", "Cole", "Newman", "Day", "Andrews", "Hawkins", "Rose", "Spencer",
    "O'Brien", "O'Connor", "O'Neill", "O'Sullivan", "McDonald", "MacDonald", "McCarthy", "McKenzie", "Fitzgerald",
    "Stewart", "Stuart", "Murray", "Graham", "Reid", "Ross", "Ryan", "Byrne", "Doyle", "Gallagher", "Doherty",
    "Quinn", "Kennedy", "Lynch", "Burke", "Walsh", "Nolan", "Griffiths", "Morgan", "Rees", "Bowen", "Vaughan",
    "Pritchard", "Gibbs", "Harvey", "Ford", "Grant", "Payne", "Perry", "Long", "Francis", "Bird", "Fox", "Lane",
    "Page", "Read", "Reed", "Bishop", "Cross", "Frost", "Goddard", "Hayward", "Hobbs", "Jarvis", "Kemp", "Lamb",
    "Marsh", "Nash", "Osborne", "Parsons", "Peters", "Pope", "Porter", "Pratt", "Randall", "Savage", "Sharp", "Sims",
    "Skinner", "Slater", "Steele", "Sutton", "Tanner", "Tucker", "Underwood", "Vickers", "Wade", "Warner", "Watts",
    "Weston", "Wheeler", "Whitehead", "Willis", "Winter", "Woods", "Yates", "Abbott", "Atkins", "Ball", "Barrett",
    "Barton", "Bates", "Baxter", "Benson", "Berry", "Blake", "Bond", "Booth", "Bradley", "Brooks", "Bryant", "Bull",
    "Burgess", "Carr", "Chambers", "Charlton", "Coles", "Coleman", "Cooke", "Crawford", "Curtis", "Daniels",
    "Davidson", "Dawson",
];

/// First halves of rarer English family names.
pub(super) const ENGLISH_STEMS: &[&str] = &[
    "Ash", "Ald", "Ather", "Bar", "Beck", "Birch", "Black", "Brad", "Brams", "Brock", "Buck", "Cald", "Can", "Chad",
    "Charl", "Clif", "Cole", "Crow", "Dal", "Den", "Ders", "Dun", "East", "Elm", "Fair", "Farn", "Fen", "Fern", "Gar",
    "Gold", "Grim", "Had", "Hal", "Ham", "Har", "Hart", "Hazel", "Heath", "Hol", "Horn", "Kel", "Kim", "Kings",
    "Lang", "Lin", "Long", "Mar", "Mere", "Mil", "Mor", "Nether", "New", "Nor", "Oak", "Old", "Pem", "Pen", "Pick",
    "Ply", "Rad", "Rams", "Raven", "Red", "Ridge", "Rock", "Row", "Rush", "Sand", "Sel", "Sher", "Shel", "Stan",
    "Staple", "Sted", "Stock", "Strat", "Sun", "Swan", "Thorn", "Til", "Tor", "Wal", "War", "Water", "Wel", "Wes",
    "Whit", "Wil", "Win", "Wood", "Wool", "Wor", "Yar", "Yel",
];

/// Second halves of rarer English family names.
pub(super) const ENGLISH_ENDINGS: &[&str] = &[
    "ton", "ley", "ham", "field", "ford", "well", "wood", "worth", "by", "combe", "den", "don", "bury", "bourne",
    "brook", "cott", "croft", "dale", "gate", "grave", "hurst", "land", "man", "mere", "more", "ridge", "shaw",
    "stead", "stone", "thorpe", "wick", "son", "ing", "er", "ett", "low", "ell", "ingham", "ward",
];

/// Polish given names, women.
pub(super) const POLISH_WOMEN: &[&str] = &[
    "Anna", "Katarzyna", "Małgorzata", "Agnieszka", "Magdalena", "Joanna", "Monika", "Aleksandra", "Karolina", "Ewa",
    "Justyna", "Paulina", "Natalia", "Sylwia", "Beata", "Dorota", "Weronika", "Iwona", "Zuzanna", "Grażyna", "Bożena",
    "Elżbieta", "Halina", "Łucja", "Marta", "Kinga", "Izabela", "Renata", "Patrycja", "Edyta", "Urszula", "Marzena",
    "Hanna", "Oliwia", "Dominika", "Kamila", "Ilona", "Teresa",
];

/// Polish given names, men.
pub(super) const POLISH_MEN: &[&str] = &[
    "Piotr", "Krzysztof", "Tomasz", "Paweł", "Marcin", "Michał", "Łukasz", "Grzegorz", "Adam", "Jakub", "Rafał",
    "Mateusz", "Kamil", "Marek", "Dariusz", "Wojciech", "Mariusz", "Sławomir", "Zbigniew", "Bartosz", "Przemysław",
    "Szymon", "Stanisław", "Bolesław", "Artur", "Robert", "Andrzej", "Jacek", "Leszek", "Mirosław", "Dawid", "Patryk",
    "Sebastian", "Konrad", "Radosław", "Norbert", "Witold", "Zdzisław",
];

/// Stems of Polish family names; `POLISH_ENDINGS` gives both genders.
pub(super) const POLISH_STEMS: &[&str] = &[
    "Kowal", "Wiśniew", "Lewandow", "Zieliń", "Szymań", "Kozłow", "Jankow", "Wojciechow", "Kwiatkow", "Piotrow",
    "Grabow", "Pawłow", "Michal", "Jabłoń", "Majew", "Olszew", "Jaworsk", "Malinow", "Stępniew", "Górs", "Witkow",
    "Rutkow", "Sikor", "Baranow", "Zawadz", "Chmielew", "Borkow", "Makow", "Żukow", "Sadow", "Ostrow", "Wysoc",
];

/// Endings of Polish family names, for a man and for a woman.
pub(super) const POLISH_ENDINGS: &[(&str, &str)] = &[
    ("ski", "ska"), ("czyk", "czyk"), ("ak", "ak"), ("cki", "cka"), ("iak", "iak"), ("a", "a"),
];

/// First halves of Punjabi given names, which women and men share.
pub(super) const PUNJABI_STEMS: &[&str] = &[
    "Har", "Man", "Jas", "Gur", "Sukh", "Bal", "Sat", "Kul", "Raj", "Aman", "Nav", "Kiran", "Par", "Jag", "Lakh",
    "Sarb", "Inder", "Amar", "Kam", "Dil",
];

/// Second halves of Punjabi given names.
pub(super) const PUNJABI_ENDINGS: &[&str] = &[
    "preet", "deep", "jit", "winder", "meet", "want", "bir", "pal", "inder", "jot",
];

/// Punjabi family names, kept beside Singh and Kaur by some.
pub(super) const PUNJABI_FAMILIES: &[&str] = &[
    "Gill", "Dhillon", "Sandhu", "Sidhu", "Grewal", "Dhaliwal", "Brar", "Bains", "Sohal", "Johal", "Atwal", "Mann",
    "Chahal", "Randhawa", "Sangha", "Purewal", "Uppal", "Virk", "Hundal", "Deol", "Cheema", "Bajwa", "Buttar",
    "Dhesi", "Garcha", "Kang", "Khaira", "Lally", "Nagra", "Pannu", "Rai", "Samra", "Toor", "Thind", "Bhullar",
    "Aujla",
];

/// Bangladeshi and Pakistani given names, women.
pub(super) const BENGALI_WOMEN: &[&str] = &[
    "Fatima", "Ayesha", "Nasreen", "Shabana", "Rukhsana", "Yasmin", "Sultana", "Rahima", "Shahida", "Farzana",
    "Nazia", "Samina", "Rehana", "Taslima", "Nazma", "Hasina", "Salma", "Amina", "Khadija", "Zainab", "Maryam",
    "Sadia", "Tahmina", "Shirin", "Shahnaz", "Rubina", "Farida", "Parvin", "Jahanara", "Monira", "Nargis", "Razia",
    "Sabina", "Afsana", "Lubna", "Humaira", "Ruksana", "Sharmin", "Nusrat", "Tanzila", "Mahmuda", "Rabeya", "Jannat",
    "Anika", "Hafsa", "Sumaiya", "Kulsum", "Ambia", "Momtaz", "Shamima", "Bushra", "Rizwana", "Saira", "Uzma",
];

/// What many Bengali women bear where others have a family name; it is not shared with husband or children.
pub(super) const BENGALI_SECOND: &[&str] = &["Begum", "Khatun", "Bibi", "Akhtar", "Sultana", "Parveen", "Khanom"];

/// Bangladeshi and Pakistani given names, men.
pub(super) const BENGALI_MEN: &[&str] = &[
    "Abdul", "Mohammed", "Imran", "Tariq", "Asif", "Rashid", "Shahid", "Kamal", "Jamal", "Faisal", "Nasir", "Shafiq",
    "Rafiq", "Anwar", "Iqbal", "Zahid", "Khalid", "Saeed", "Yusuf", "Hamza", "Bilal", "Ibrahim", "Shamim", "Mizanur",
    "Aminul", "Shahjahan", "Monir", "Habib", "Mahbub", "Nurul", "Sajid", "Waqar", "Adnan", "Junaid", "Kashif",
    "Nadeem", "Rizwan", "Usman", "Zubair", "Shakil", "Delwar", "Harun", "Jahangir", "Masud", "Ruhul", "Sohel",
    "Tofail", "Liaquat", "Murad", "Qamar",
];

/// Bangladeshi and Pakistani family names.
pub(super) const BENGALI_FAMILIES: &[&str] = &[
    "Miah", "Ahmed", "Ali", "Hussain", "Khan", "Uddin", "Rahman", "Islam", "Hoque", "Chowdhury", "Alam", "Haque",
    "Malik", "Mahmood", "Iqbal", "Akhtar", "Choudhury", "Karim", "Sheikh", "Mirza", "Qureshi", "Bhatti", "Butt",
    "Aziz", "Bhuiyan", "Talukdar", "Sarkar", "Mollah", "Siddiqui", "Raja", "Ansari", "Shah", "Baig", "Rashid",
    "Hasan", "Kamali", "Matin", "Noor", "Dar", "Rana",
];

/// Arabic and Kurdish given names, women.
pub(super) const ARABIC_WOMEN: &[&str] = &[
    "Fatima", "Mariam", "Aisha", "Noor", "Layla", "Hanan", "Zainab", "Rania", "Huda", "Samira", "Amal", "Nadia",
    "Khadija", "Salma", "Yasmin", "Iman", "Rasha", "Dalal", "Rana", "Lina", "Sawsan", "Widad", "Najwa", "Suha",
    "Ghada", "Maysoon", "Intisar", "Shaima", "Asma", "Hiba", "Reem", "Dina", "Farah", "Sahar", "Wafa", "Zahra",
    "Nawal", "Basma",
];

/// Arabic and Kurdish given names, men.
pub(super) const ARABIC_MEN: &[&str] = &[
    "Mohammed", "Ahmed", "Ali", "Hassan", "Hussein", "Omar", "Yusuf", "Khalid", "Ibrahim", "Mustafa", "Tariq",
    "Karim", "Samir", "Nabil", "Faisal", "Hamid", "Walid", "Ziad", "Abdullah", "Rashid", "Bassam", "Jamal", "Fadi",
    "Hani", "Imad", "Majid", "Nasser", "Qais", "Riyad", "Saad", "Salim", "Sami", "Tawfiq", "Usama", "Yasin", "Zaki",
    "Adel", "Bilal", "Ghassan", "Marwan",
];

/// What stands before an Arabic family name.
pub(super) const ARABIC_PARTICLES: &[&str] = &["Al-", "El ", "al ", "Al ", "", "", "bin ", "Abd al-", "Ben ", "Abu "];

/// Arabic family names, without their particle.
pub(super) const ARABIC_FAMILIES: &[&str] = &[
    "Hassan", "Masri", "Khatib", "Najjar", "Haddad", "Sayed", "Rahman", "Saleh", "Mansour", "Nasser", "Amiri",
    "Bakri", "Jabouri", "Tikriti", "Dulaimi", "Shammari", "Zubaidi", "Halabi", "Sharif", "Hakim", "Qasim", "Rashidi",
    "Maliki", "Obeidi", "Azzawi", "Kurdi",
];

/// Chinese family names in pinyin, with the spelling that Hong Kong or older transliterations give.
pub(super) const CHINESE_FAMILIES: &[(&str, &str)] = &[
    ("Wang", "Wong"), ("Li", "Lee"), ("Zhang", "Chang"), ("Liu", "Lau"), ("Chen", "Chan"), ("Yang", "Yeung"),
    ("Huang", "Wong"), ("Zhao", "Chao"), ("Wu", "Ng"), ("Zhou", "Chow"), ("Xu", "Hsu"), ("Sun", "Suen"),
    ("Ma", "Mah"), ("Zhu", "Chu"), ("Hu", "Woo"), ("Guo", "Kwok"), ("He", "Ho"), ("Lin", "Lam"), ("Gao", "Ko"),
    ("Luo", "Lo"), ("Zheng", "Cheng"), ("Liang", "Leung"), ("Xie", "Tse"), ("Song", "Sung"), ("Tang", "Tong"),
    ("Deng", "Tang"),
];

/// Syllables of Chinese given names.
pub(super) const CHINESE_SYLLABLES: &[&str] = &[
    "Wei", "Xiao", "Ming", "Yan", "Jing", "Li", "Hua", "Ying", "Fang", "Jun", "Yu", "Hui", "Lei", "Na", "Min", "Ping",
    "Qiang", "Tao", "Bo", "Jie", "Lan", "Mei", "Xin", "Zhi", "Guo", "Hong", "Jian", "Cheng",
];

/// Spanish and Portuguese given names, women.
pub(super) const IBERIAN_WOMEN: &[&str] = &[
    "María", "Carmen", "Ana", "Isabel", "Laura", "Cristina", "Marta", "Lucía", "Elena", "Sofía", "Inês", "Beatriz",
    "Joana", "Catarina", "Raquel", "Pilar", "Rocío", "Conceição", "Teresa", "Rosa", "Paula", "Alicia", "Nuria",
    "Montserrat", "Leonor", "Margarida", "Fátima", "Graça", "Mónica", "Silvia",
];

/// Spanish and Portuguese given names, men.
pub(super) const IBERIAN_MEN: &[&str] = &[
    "José", "Antonio", "Juan", "Manuel", "Francisco", "Luis", "Javier", "Carlos", "Miguel", "Pedro", "João", "Rui",
    "Tiago", "Álvaro", "Sergio", "Diego", "Joaquín", "Nuno", "Andrés", "Pablo", "Raúl", "Fernando", "Ramón", "Rafael",
    "Hugo", "Gonçalo", "Jorge", "Vasco", "Iván", "Óscar",
];

/// Spanish and Portuguese family names; everybody has two.
pub(super) const IBERIAN_FAMILIES: &[&str] = &[
    "García", "Fernández", "López", "Martínez", "Sánchez", "Pérez", "Gómez", "Silva", "Santos", "Ferreira", "Pereira",
    "Oliveira", "Costa", "Rodríguez", "Ruiz", "Díaz", "Muñoz", "Álvarez", "Romero", "Navarro", "Torres", "Domínguez",
    "Vázquez", "Ramos", "Carvalho", "Teixeira", "Gonçalves", "Núñez", "Ibáñez", "Peña",
];

/// Somali, Eritrean and Ethiopian given names, women.
pub(super) const HORN_WOMEN: &[&str] = &[
    "Amina", "Halima", "Fadumo", "Hodan", "Sahra", "Khadra", "Ifrah", "Nimco", "Selam", "Tigist", "Hana", "Rahel",
    "Senait", "Almaz", "Meron", "Bethlehem", "Ubax", "Deqa", "Safiya", "Ruqiya", "Zeinab", "Hibo", "Ayaan", "Mulu",
    "Genet", "Aster", "Eden", "Saba", "Helen", "Kidist", "Liya", "Makda",
];

/// Somali, Eritrean and Ethiopian given names, men; also what children bear after their father.
pub(super) const HORN_MEN: &[&str] = &[
    "Mohamed", "Abdi", "Ahmed", "Hassan", "Yusuf", "Omar", "Farah", "Ismail", "Warsame", "Jama", "Tesfaye", "Haile",
    "Dawit", "Abebe", "Bereket", "Girma", "Yonas", "Tekle", "Gebre", "Kidane", "Nuur", "Guled", "Samatar", "Mengistu",
    "Liban", "Ayanle", "Bashir", "Cabdi", "Dahir", "Elmi", "Hersi", "Idris", "Mahad", "Osman", "Roble", "Solomon",
    "Tewolde", "Yohannes", "Zerai", "Alemu", "Bekele", "Desta", "Kebede", "Negash",
];

/// Ukrainian given names, women.
pub(super) const UKRAINIAN_WOMEN: &[&str] = &[
    "Olena", "Kateryna", "Iryna", "Nataliia", "Yuliia", "Svitlana", "Oksana", "Tetiana", "Mariia", "Viktoriia",
    "Liudmyla", "Hanna", "Sofiia", "Daryna", "Anastasiia", "Alina", "Inna", "Larysa", "Lesia", "Myroslava", "Olha",
    "Polina", "Tamara", "Valentyna", "Vira", "Yana", "Zoia", "Halyna",
];

/// Ukrainian given names, men; their patronymics end in `-ovych` and `-ivna`.
pub(super) const UKRAINIAN_MEN: &[&str] = &[
    "Oleksandr", "Serhii", "Andrii", "Volodymyr", "Mykola", "Viktor", "Ivan", "Vasyl", "Yurii", "Oleh", "Dmytro",
    "Bohdan", "Taras", "Maksym", "Anatolii", "Artem", "Borys", "Denys", "Hryhorii", "Ihor", "Kostiantyn", "Leonid",
    "Mykhailo", "Oleksii", "Pavlo", "Roman", "Stepan", "Valerii", "Vitalii", "Yevhen",
];

/// Stems of Ukrainian family names.
pub(super) const UKRAINIAN_STEMS: &[&str] = &[
    "Shevch", "Koval", "Bond", "Tkach", "Kravch", "Oliin", "Lys", "Marchuk", "Savch", "Rud", "Petr", "Klym", "Mels",
    "Hrytse", "Pavl", "Zakhar", "Moroz", "Panas", "Romane", "Sydor",
];

/// Endings of Ukrainian family names.
pub(super) const UKRAINIAN_ENDINGS: &[&str] = &["enko", "chuk", "iuk", "yshyn", "ko"];

/// Names that stand alone, women.
pub(super) const SINGLE_WOMEN: &[&str] = &[
    "Lakshmi", "Suryani", "Parvathi", "Saraswati", "Wulandari", "Kamala", "Dewi", "Meenakshi", "Zarmina", "Gulalai",
    "Shakila", "Sunita", "Indrawati", "Thenmozhi", "Yuliana", "Malalai", "Kartini", "Ratna", "Siti", "Valli",
    "Amudha", "Ponni", "Kavitha", "Selvi", "Palwasha", "Storay", "Nazaneen", "Wati", "Kusuma", "Rohini",
];

/// Names that stand alone, men.
pub(super) const SINGLE_MEN: &[&str] = &[
    "Suharto", "Murugan", "Selvam", "Budiman", "Ramesh", "Sugiono", "Najibullah", "Gulzar", "Nagarajan", "Kartono",
    "Senthil", "Zabihullah", "Arumugam", "Wahyudi", "Rahmatullah", "Hidayat", "Kandasamy", "Muthu", "Rajan", "Velu",
    "Subagyo", "Slamet", "Paijo", "Hamidullah", "Khairullah", "Naseebullah", "Ganesan", "Perumal", "Sutrisno",
    "Mulyadi",
];

/// Nigerian and Ghanaian given names, women.
pub(super) const WEST_AFRICAN_WOMEN: &[&str] = &[
    "Temitope", "Blessing", "Ngozi", "Folake", "Abena", "Chioma", "Funmilayo", "Adaeze", "Akosua", "Yetunde",
    "Ifeoma", "Oluwadamilola", "Efua", "Grace", "Amaka", "Nkechi", "Titilayo", "Bukola", "Adwoa", "Esi", "Yaa",
    "Comfort", "Patience", "Mercy", "Omolara", "Chiamaka", "Uchenna", "Simisola", "Afia", "Gifty",
];

/// Nigerian and Ghanaian given names, men.
pub(super) const WEST_AFRICAN_MEN: &[&str] = &[
    "Oluwaseun", "Emeka", "Chinedu", "Kwame", "Oluwatobi", "Kofi", "Ibrahim", "Babatunde", "Ikechukwu", "Kwabena",
    "Adebayo", "Chukwuemeka", "Femi", "Samuel", "Tunde", "Olumide", "Segun", "Obinna", "Nnamdi", "Kelechi", "Uche",
    "Yaw", "Kojo", "Kwaku", "Nana", "Emmanuel", "Festus", "Godwin", "Sunday", "Ayodele",
];

/// Nigerian and Ghanaian family names.
pub(super) const WEST_AFRICAN_FAMILIES: &[&str] = &[
    "Adeyemi", "Okafor", "Mensah", "Okonkwo", "Adebayo", "Owusu", "Eze", "Balogun", "Boateng", "Nwosu", "Asante",
    "Ogunleye", "Oyelaran", "Adjei", "Chukwu", "Olawale", "Osei", "Agyeman", "Ibe", "Fashola", "Obi", "Nwachukwu",
    "Okoro", "Ojo", "Bello", "Lawal", "Akinyemi", "Adeleke", "Oladipo", "Amoah", "Darko", "Frimpong", "Appiah",
    "Ofori", "Sarpong", "Antwi", "Onyekachi", "Uzor", "Ezeh", "Anyanwu",
];
