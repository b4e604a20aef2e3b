// Allows each user a list of topics. `../README.md` tells the rules, and what a plugin in C costs.
//
// There is no library below this and no generated code: what the broker passes are the arguments of the functions here, as
// the canonical ABI of the component model lays them out: a text is a pointer and a length, a handle is a number, an answer
// of several parts is a pointer to them.

typedef unsigned char byte;
typedef unsigned int u32;

#define EXPORT(name) __attribute__((export_name(name)))
#define TYPES(name) __attribute__((import_module("amqtt:plugin/types@1.0.0"), import_name(name)))

TYPES("[method]registration.decide") void decide(u32 registration, u32 action);
TYPES("[resource-drop]registration") void drop_registration(u32 registration);
TYPES("[resource-drop]client") void drop_client(u32 client);
TYPES("[resource-drop]topic-request") void drop_request(u32 request);

typedef struct { byte *at; u32 length; } text;

// `action`, `decision` and the records that functions give back, as `hooks.wit` and `types.wit` have them.
enum { PUBLISH, SUBSCRIBE };
enum { ALLOW, DENY };
typedef struct { byte decision; u32 cache_seconds; } verdict;
typedef struct { verdict *at; u32 length; } verdicts;
typedef struct { byte is_error; text error; } started;

// Memory. What `init` allocates stays; what a call allocates is forgotten when it is over.

extern byte __heap_base;
static byte *next = &__heap_base;
static byte *kept = &__heap_base;

static byte *allocate(u32 align, u32 bytes) {
    byte *place = (byte *)(((u32)next + align - 1) & -align);
    u32 end = (u32)place + bytes, has = __builtin_wasm_memory_size(0) << 16;
    if (end < (u32)place || (end > has && __builtin_wasm_memory_grow(0, (end - has + 0xffff) >> 16) == -1ul))
        __builtin_trap();
    next = (byte *)end;
    return place;
}

// The broker's arguments are put where this says.
EXPORT("cabi_realloc") byte *reallocate(byte *old, u32 old_bytes, u32 align, u32 bytes) {
    byte *place = allocate(align, bytes);
    for (u32 i = 0; i < old_bytes && i < bytes; i++)
        place[i] = old[i];
    return place;
}

// The rules.

typedef struct rule { text user, filter; struct rule *more; } rule;
static rule *rules;

static int same(text a, text b) {
    if (a.length != b.length)
        return 0;
    for (u32 i = 0; i < a.length; i++)
        if (a.at[i] != b.at[i])
            return 0;
    return 1;
}

#define TEXT(literal) ((text){(byte *)literal, sizeof literal - 1})

// Cuts the first level off; whether there was one.
static int cut_level(text *rest, text *level) {
    if (!rest->at)
        return 0;
    u32 i = 0;
    while (i < rest->length && rest->at[i] != '/')
        i++;
    *level = (text){rest->at, i};
    *rest = i < rest->length ? (text){rest->at + i + 1, rest->length - i - 1} : (text){0, 0};
    return 1;
}

// Whether a rule matches a topic name, or all that a topic filter can match.
static int covers(text filter, text topic) {
    if (topic.length && topic.at[0] == '$' && (filter.at[0] == '+' || filter.at[0] == '#'))
        return 0;
    text level, asked;
    while (cut_level(&filter, &level)) {
        if (same(level, TEXT("#")))
            return 1;
        if (!cut_level(&topic, &asked))
            return 0;
        if (!same(level, asked) && (!same(level, TEXT("+")) || same(asked, TEXT("#"))))
            return 0;
    }
    return !topic.at;
}

// The entry for clients without a user name. A client that calls itself so is not meant.
#define ANONYMOUS TEXT("anonymous")

// A verdict holds until the plugin is loaded again: it depends on nothing but the settings.
static verdict vote(text user, text topic) {
    int named = user.length > 0;
    text entry = named ? user : ANONYMOUS;
    for (rule *it = named && same(user, ANONYMOUS) ? 0 : rules; it; it = it->more)
        if (same(it->user, entry) && covers(it->filter, topic))
            return (verdict){ALLOW, ~0u};
    return (verdict){DENY, ~0u};
}

// The settings: JSON that the broker has made, so that it is well formed. Texts are unescaped where they are.

static byte *json;
static started answer;

static void say(text what) {
    for (u32 i = 0; i < what.length; i++)
        *allocate(1, 1) = what.at[i];
    answer.error.length += what.length;
}

static void say_number(u32 number) {
    byte digit = '0' + number % 10;
    if (number > 9)
        say_number(number / 10);
    say((text){&digit, 1});
}

// Begins an error text with the key; nothing else may be allocated until it is complete.
static void say_key(text user, int place) {
    answer = (started){1, {next, 0}};
    say(TEXT("`acl"));
    if (user.at)
        say(TEXT(".")), say(user);
    if (place >= 0)
        say(TEXT("[")), say_number(place), say(TEXT("]"));
    say(TEXT("`: "));
}

static int next_is(byte wanted) {
    if (*json != wanted)
        return 0;
    json++;
    return 1;
}

static byte hexadecimal(byte digit) { return digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10; }

// A text that begins here; none for any other value.
static text string(void) {
    if (!next_is('"'))
        return (text){0, 0};
    text read = {json, 0};
    while (!next_is('"')) {
        byte c = *json++;
        if (c == '\\') {
            static const byte plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
            c = *json++;
            for (u32 i = 0; i < 8; i++)
                if (c == plain[i]) {
                    c = meant[i];
                    break;
                }
            // Only control characters are written so.
            if (json[-1] == 'u') {
                c = hexadecimal(json[2]) << 4 | hexadecimal(json[3]);
                json += 4;
            }
        }
        read.at[read.length++] = c;
    }
    return read;
}

// What is wrong with a topic filter; empty if nothing.
static text wrong_with(text filter) {
    for (u32 i = 0; i < filter.length; i++) {
        int alone = (i == 0 || filter.at[i - 1] == '/') && (i + 1 == filter.length || filter.at[i + 1] == '/');
        if (filter.at[i] == '#' && (!alone || i + 1 < filter.length))
            return TEXT("`#` stands alone in the last level: `");
        if (filter.at[i] == '+' && !alone)
            return TEXT("`+` stands alone in its level: `");
        if (filter.at[i] == 0)
            return TEXT("there is a NUL in it: `");
    }
    return (text){0, 0};
}

static int read_list(text user) {
    if (!next_is('[')) {
        say_key(user, -1), say(TEXT("not a list of topic filters"));
        return 0;
    }
    for (int place = 0; !next_is(']'); place++) {
        next_is(',');
        text filter = string(), wrong = wrong_with(filter);
        if (filter.length == 0 || wrong.length) {
            say_key(user, place), say(wrong.length ? wrong : TEXT("not a topic filter"));
            if (wrong.length)
                say(filter), say(TEXT("`"));
            return 0;
        }
        rule *read = (rule *)allocate(_Alignof(rule), sizeof(rule));
        *read = (rule){user, filter, rules};
        rules = read;
    }
    return 1;
}

static int read_settings(void) {
    int there = 0;
    for (next_is('{'); !next_is('}');) {
        next_is(',');
        text key = string();
        next_is(':');
        if (!same(key, TEXT("acl"))) {
            answer = (started){1, {next, 0}};
            say(TEXT("`")), say(key), say(TEXT("`: there is no such setting, but `acl`"));
            return 0;
        }
        there = next_is('{');
        while (there && !next_is('}')) {
            next_is(',');
            text user = string();
            next_is(':');
            if (!read_list(user))
                return 0;
        }
        if (!there)
            break;
    }
    if (!there)
        say_key((text){0, 0}, -1), say(TEXT("not a map of user names to lists of topic filters"));
    return there;
}

// The hooks.

EXPORT("amqtt:plugin/lifecycle@1.0.0#init") started *init(byte *settings, u32 length, u32 registration) {
    json = settings;
    if (read_settings()) {
        decide(registration, PUBLISH);
        decide(registration, SUBSCRIBE);
    }
    // What was lent is given back before the call ends.
    drop_registration(registration);
    kept = next;
    return &answer;
}

EXPORT("amqtt:plugin/lifecycle@1.0.0#stop") void stop(void) {}

EXPORT("amqtt:plugin/topic-check@1.0.0#check")
verdict *check(u32 client, u32 request, byte *client_id, u32 client_id_length, u32 has_user, byte *user, u32 user_length,
               u32 action, byte *topic, u32 topic_length) {
    static verdict voted;
    voted = vote((text){user, has_user ? user_length : 0}, (text){topic, topic_length});
    drop_client(client);
    drop_request(request);
    next = kept;
    return &voted;
}

EXPORT("amqtt:plugin/topic-check@1.0.0#check-many")
verdicts *check_many(u32 client, u32 request, byte *client_id, u32 client_id_length, u32 has_user, byte *user,
                     u32 user_length, u32 action, text *topics, u32 count) {
    static verdicts voted;
    voted = (verdicts){(verdict *)allocate(_Alignof(verdict), count * sizeof(verdict)), count};
    for (u32 i = 0; i < count; i++)
        voted.at[i] = vote((text){user, has_user ? user_length : 0}, topics[i]);
    drop_client(client);
    drop_request(request);
    return &voted;
}

// Called when the broker has read the answer.
EXPORT("cabi_post_amqtt:plugin/topic-check@1.0.0#check-many") void checked_many(verdicts *voted) { next = kept; }
