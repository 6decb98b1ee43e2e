/* endings.c - words that no line should end in, by language: articles, prepositions, conjunctions, and pronouns and
 * auxiliaries that lean on what follows. And abbreviations, whose full stop ends no sentence.
 *
 * Style guides say so of articles, prepositions and conjunctions (docs/subtitles.md); the lists are ours, of frequent
 * words that are little else. bench/subtitles/count reads them from this file: a string a language, spaces between. */
#include <string.h>

#include <utf8proc.h>

#include "output/layout/layout.h"
#include "tokenizer/utf8.h"

typedef struct word_list {
    const char *language;
    int unspaced; /* written without spaces: the words are ends of text */
    const char *words;
} word_list;

static const word_list endings[] = {
    {"en", 0,
     "a an the of to in on at by for from with into onto upon about after before between through during without within "
     "against toward towards and or but nor because if when while although though than as that which who whose whom "
     "where until unless since so my your his her its our their this these those i you we he she they is are was were "
     "am be been has have had will would can could should must may might do does did not very no what how why some any "
     "each every i'm you're we're they're he's she's it's that's there's i've you've we've they've i'll you'll we'll "
     "they'll don't doesn't didn't can't won't couldn't wouldn't shouldn't isn't aren't wasn't weren't haven't hasn't"},
    {"de", 0,
     "der die das den dem des ein eine einen einem einer eines in im an am auf zu zum zur von vom mit bei beim nach aus "
     "für über unter vor hinter neben zwischen durch gegen ohne um bis seit während wegen und oder aber denn sondern "
     "dass weil wenn ob als wie obwohl damit sobald bevor nachdem mein dein sein ihr unser euer meine deine seine ihre "
     "ich du er sie es wir man nicht sehr kein keine dieser diese dieses ist sind war hat"},
    {"fr", 0,
     "le la les un une des du de d' l' à au aux en dans sur sous par pour avec sans chez vers entre contre depuis "
     "pendant et ou mais donc or ni car que qui dont où si quand lorsque parce comme puisque mon ma mes ton ta tes son "
     "sa ses notre nos votre vos leur leurs ce cet cette ces je tu il elle on nous vous ils elles ne se me te est sont "
     "très"},
    {"es", 0,
     "el la los las un una unos unas lo de del a al en con por para sin sobre entre hasta desde hacia según contra "
     "durante y e o u pero sino ni que porque si cuando como aunque donde mientras mi mis tu tus su sus nuestro nuestra "
     "este esta estos estas ese esa se me te le les nos no es son muy"},
    {"it", 0,
     "il lo la i gli le un uno una l' un' di a da in con su per tra fra del dello della dei degli delle al allo alla ai "
     "agli alle dal dallo dalla dai dagli dalle nel nello nella nei negli nelle sul sullo sulla sui sugli sulle dell' "
     "all' dall' nell' sull' e ed o ma però perché se quando come che chi cui dove mentre anche non mio mia suo sua "
     "questo questa quel quella si mi ti ci vi ne è sono ha ho più molto d'"},
    {"pt", 0,
     "o a os as um uma uns umas de do da dos das em no na nos nas por pelo pela pelos pelas para com sem sobre entre "
     "até desde contra e ou mas nem que porque se quando como embora onde enquanto meu minha seu sua este esta esse "
     "essa ao aos à às não é são muito"},
    {"nl", 0,
     "de het een in op aan van voor met bij naar uit over onder door tegen zonder tussen om te tot sinds en of maar "
     "want dat die als wanneer omdat hoewel terwijl mijn jouw zijn haar ons onze hun deze dit ik je jij hij zij ze we "
     "wij niet is zeer geen"},
    {"sv", 0,
     "en ett den det de i på av till från med för om under över mellan genom utan mot vid hos och eller men att som när "
     "medan eftersom min din sin hans hennes vår er deras denna detta dessa jag du han hon vi ni inte är mycket"},
    {"da", 0,
     "en et den det de i på af til fra med for om under over mellem gennem uden mod ved hos og eller men at som når "
     "mens fordi min din sin hans hendes vores deres denne dette disse jeg du han hun vi ikke er meget"},
    {"no", 0,
     "en et ei den det de i på av til fra med for om under over mellom gjennom uten mot ved hos og eller men at som når "
     "mens fordi min din sin hans hennes vår deres denne dette disse jeg du han hun vi ikke er veldig å"},
    {"pl", 0,
     "w we z ze na do od po o u za przed nad pod przy przez dla bez między ku i a ale lub albo oraz że żeby gdy kiedy "
     "jeśli ponieważ bo który która które mój twój jego jej nasz ten ta to nie się jest bardzo"},
    {"cs", 0,
     "v ve z ze na do od po o u za před nad pod při přes pro bez mezi k ke s se i a ale nebo že aby když jestli protože "
     "který která které můj tvůj jeho její náš ten ta to ne si je velmi"},
    {"ru", 0,
     "в во на с со к ко о об от до из у за по при для без над под перед через между и а но или что чтобы если когда "
     "потому как который которая которые мой твой его её их наш этот эта это не ни же очень"},
    {"uk", 0,
     "в у на з із зі до від о об по при для без над під перед через між і й та а але або що щоб якщо коли бо як який "
     "яка які мій твій його її їх наш цей ця це не ні дуже"},
    {"tr", 0, "ve veya ya ama fakat ki bir bu şu o çok en daha"},
    {"ar", 0, "في من إلى على عن مع بين حتى منذ و أو ثم لكن أن إن التي الذي لا ما هذا هذه كل"},
    {"he", 0, "של על אל את עם בין עד מן כי או אבל גם אם לא זה זאת כל"},
    {"zh", 1, "和 与 及 或 但 但是 而 而且 因为 所以 如果 虽然 在 从 把 被 对 向 跟 比 为 给 让 由 于 这 那 很 不 一"},
    {"yue", 1, "同 同埋 或者 但係 因為 所以 如果 喺 由 將 俾 對 向 比 嗰 呢 好 唔 一"},
    {"ja", 1, "この その あの どの 約 第 お ご"},
};

static const word_list abbreviations[] = {
    {"en", 0, "vs. gen. sen. rep. gov. capt. lt. col. e.g. i.e. approx."},
    {"de", 0, "hr. fr. nr. z.b. d.h. bzw. ca. str. vgl. sog."},
    {"fr", 0, "mm. mme. mlle. ste."},
    {"es", 0, "sr. sra. srta. dra. ud. uds. núm."},
    {"it", 0, "sig. sig.ra dott. dott.ssa ing. avv."},
    {"pt", 0, "sr. sra. dra. profa."},
    {"nl", 0, "dhr. mevr. bijv. nr."},
};
/* Titles that are written in all of them. */
static const word_list titles = {"", 0, "mr. mrs. ms. dr. prof. st."};

#define LONGEST 32 /* bytes of a word in the lists, and more */

/* Lower case, quotation marks and brackets before it left out. The length; 0: it is too long to be in a list. */
static size_t fold(const char *text, size_t n, char folded[LONGEST + 4])
{
    size_t length = 0;
    for (size_t i = 0; i < n;) {
        int32_t code;
        i += wh_utf8_next(text + i, n - i, &code);
        if (code < 0 || length >= LONGEST)
            return 0;
        if (code == 0x2019)
            code = '\'';
        if (length == 0 && !wh_script_is_letter(code))
            continue;
        length += (size_t)utf8proc_encode_char(utf8proc_tolower(code), (utf8proc_uint8_t *)folded + length);
    }
    return length;
}

static const word_list *find_list(const word_list *lists, size_t n, const char *language)
{
    for (size_t i = 0; language && i < n; i++)
        if (strcmp(lists[i].language, language) == 0)
            return &lists[i];
    return NULL;
}

static int is_in(const word_list *list, const char *text, size_t n)
{
    for (const char *word = list->words; *word;) {
        size_t length = strcspn(word, " ");
        if (list->unspaced ? n >= length && memcmp(text + n - length, word, length) == 0
                           : n == length && memcmp(text, word, length) == 0)
            return 1;
        word += length + (word[length] == ' ');
    }
    return 0;
}

int wh_layout_is_bad_end(const char *language, const char *text, size_t n)
{
    char folded[LONGEST + 4];
    const word_list *list = find_list(endings, WH_COUNT(endings), language);
    if (!list)
        return 0;
    if (list->unspaced)
        return is_in(list, text, n);
    size_t length = fold(text, n, folded);
    return length > 0 && is_in(list, folded, length);
}

int wh_layout_is_abbreviation(const char *language, const char *text, size_t n)
{
    char folded[LONGEST + 4];
    const word_list *list = find_list(abbreviations, WH_COUNT(abbreviations), language);
    size_t length = fold(text, n, folded);
    if (length == 0 || folded[length - 1] != '.')
        return 0;
    int32_t only;
    size_t first = wh_utf8_next(folded, length, &only);
    return first + 1 == length || /* "J." */
           is_in(&titles, folded, length) || (list && is_in(list, folded, length));
}
