/* recognise.c - see recognise.h. */
#include "audio/recognise.h"

#include <string.h>

#include "audio/mpeg_frames.h"

int wh_is_sample_dump(wh_source *source)
{
    unsigned char head[4];
    return wh_source_peek(source, 0, head, 4) == 4 && head[0] == 0xf0 && head[1] == 0x7e && head[3] == 1;
}

/* AAC frames: twelve bits of ones, one for the version, layer 0, which MPEG audio does not have (ISO 13818-7, 6.2). */
static int is_adts(wh_source *source)
{
    unsigned char head[7], next[2];
    if (wh_source_peek(source, 0, head, 7) < 7 || head[0] != 0xff || (head[1] & 0xf6) != 0xf0)
        return 0;
    int size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5;
    return size >= 7 && (wh_source_peek(source, size, next, 2) < 2 || (next[0] == 0xff && (next[1] & 0xf6) == 0xf0));
}

/* Packets of 188 bytes that begin with the same one (ISO 13818-1, 2.4.3.2): the first four, of which two are there. */
static int is_transport_stream(wh_source *source)
{
    unsigned char first = 0;
    int n = 0;
    while (n < 4 && wh_source_peek(source, 188 * n, &first, 1) == 1 && first == 0x47)
        n++;
    return n == 4 || (n >= 2 && first == 0x47);
}

const char *wh_foreign_format(wh_source *source)
{
    static const struct {
        int offset, length;
        const char *bytes, *name;
    } known[] = {
        {4, 4, "ftyp", "MP4 (M4A, AAC, MOV)"},
        {4, 4, "moov", "MOV"},
        {4, 4, "mdat", "MOV"},
        {0, 4, "\x1a\x45\xdf\xa3", "Matroska or WebM"},
        {0, 8, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (WMA, ASF)"},
        {0, 5, "#!AMR", "AMR"},
        {0, 4, "ADIF", "AAC"},
        {0, 3, "FLV", "Flash video"},
        {0, 4, "wvpk", "WavPack"},
        {0, 4, "MAC ", "Monkey's Audio"},
        {0, 4, "TTA1", "True Audio"},
        {0, 4, ".RMF", "RealMedia"},
        {0, 4, "\0\0\1\xba", "MPEG video"},
        {8, 4, "AVI ", "AVI video"},
        {28, 8, "Speex   ", "Speex"},
    };
    unsigned char head[36] = {0};
    size_t n = wh_source_peek(source, 0, head, sizeof head);
    for (size_t i = 0; i < WH_COUNT(known); i++)
        if (n >= (size_t)known[i].offset + (size_t)known[i].length &&
            memcmp(head + known[i].offset, known[i].bytes, (size_t)known[i].length) == 0)
            return known[i].name;
    if (is_adts(source))
        return "AAC";
    return is_transport_stream(source) ? "MPEG transport stream" : NULL;
}

/* Are there three frames in a row from byte 0 on? Looks no further than them: somebody may be speaking. */
static int begins_with_mpeg(wh_source *source)
{
    wh_mpeg_header header;
    return wh_mpeg_chain(source, 0, 3, &header);
}

/* AC-3 and DTS have frames and no header (ETSI TS 102 366, 4.4.1; TS 102 114, 5.3). */
static int begins_with_bitstream(const unsigned char *head, size_t n)
{
    int is_ac3 = n > 5 && head[0] == 0x0b && head[1] == 0x77 && head[4] >> 6 != 3 && head[5] >> 3 <= 16;
    return is_ac3 || (n > 4 && memcmp(head, "\x7f\xfe\x80\x01", 4) == 0);
}

/* Samples of 16 bits whose bytes are all printable would be far from zero, all on one side of it: no sound is. */
static int is_text(const unsigned char *head, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(head[i] >= ' ' && head[i] < 127) && !(head[i] >= '\t' && head[i] <= '\r'))
            return 0;
    return n > 0;
}

int wh_has_header(wh_source *source)
{
    static const struct {
        int offset;
        const char *name;
    } known[] = {
        {8, "WAVE"},   {0, "fLaC"},  {0, "OggS"},  {8, "AIFF"},         {8, "AIFC"},  {0, "caff"},
        {0, ".snd"},   {0, "ID3\2"}, {0, "ID3\3"}, {0, "ID3\4"},        {24, "wave"}, {0, "NIST"},
        {8, "8SVX"},   {0, "APET"},  {0, "Crea"},  {0, " paf"},         {0, "fap "},  {0, "PVF1"},
        {0, "2BIT"},   {0, "MATL"},  {0, "ALaw"},  {0, "\x1f\x8b\x08"}, /* gzip, without a name's flag */
        {0, "PK\3\4"},
    };
    unsigned char head[64] = {0};
    size_t n = wh_source_peek(source, 0, head, sizeof head);
    for (size_t i = 0; i < WH_COUNT(known); i++)
        if (memcmp(head + known[i].offset, known[i].name, 4) == 0)
            return 1;
    return wh_foreign_format(source) || begins_with_bitstream(head, n) || is_text(head, n) || begins_with_mpeg(source);
}
