// Allows each user a list of topics. `../README.md` tells the rules, and what a plugin in JavaScript costs.

import * as log from "amqtt:plugin/log@1.0.0";

// The entry for clients without a user name. A client that calls itself so is not meant.
const ANONYMOUS = "anonymous";

// A verdict holds until the plugin is loaded again: it depends on nothing but the settings.
const ALLOW = { decision: "allow", cacheSeconds: 0xffffffff };
const DENY = { decision: "deny", cacheSeconds: 0xffffffff };

// The rules of each user, each as its levels. Filled by `init`, once for each instance.
let rules = new Map();

export const lifecycle = {
    init(settings, registration) {
        rules = read(JSON.parse(settings));
        registration.decide("publish");
        registration.decide("subscribe");
    },
    stop() {},
};

export const topicCheck = {
    check(client, request, clientId, username, action, topic) {
        return answer([client, request], () => vote(username, topic));
    },
    checkMany(client, request, clientId, username, action, topics) {
        return answer([client, request], () => topics.map((topic) => vote(username, topic)));
    },
};

// What the bindings have for giving a handle back.
const dispose = Symbol.dispose ?? Symbol.for("dispose");

// Does the work and gives back what the call was lent. The bindings would as well, and remember each handle for ever: memory
// runs out after some thousand calls.
//
// An exception ends in a trap, which has no words: they go to the log before.
function answer(lent, work) {
    try {
        return work();
    } catch (problem) {
        log.write("error", `${problem}\n${problem.stack ?? ""}`);
        throw problem;
    } finally {
        lent.forEach((handle) => handle[dispose]());
    }
}

function vote(username, topic) {
    if (username === ANONYMOUS) {
        return DENY;
    }
    const levels = topic.split("/");
    const allowed = (rules.get(username || ANONYMOUS) ?? []).some((rule) => covers(rule, levels));
    return allowed ? ALLOW : DENY;
}

// Whether a rule matches a topic name, or all that a topic filter can match.
function covers(rule, topic) {
    if (topic[0].startsWith("$") && (rule[0] === "+" || rule[0] === "#")) {
        return false;
    }
    for (const [place, level] of rule.entries()) {
        if (level === "#") {
            return true;
        }
        if (place === topic.length || (level !== topic[place] && (level !== "+" || topic[place] === "#"))) {
            return false;
        }
    }
    return rule.length === topic.length;
}

// The rules of the settings. What `init` throws is its error text: it names the key that is wrong.
function read(settings) {
    for (const key of Object.keys(settings)) {
        if (key !== "acl") {
            throw `\`${key}\`: there is no such setting, but \`acl\``;
        }
    }
    const { acl } = settings;
    if (typeof acl !== "object" || acl === null || Array.isArray(acl)) {
        throw "`acl`: not a map of user names to lists of topic filters";
    }
    return new Map(Object.entries(acl).map(([user, filters]) => [user, readList(`acl.${user}`, filters)]));
}

function readList(key, filters) {
    if (!Array.isArray(filters)) {
        throw `\`${key}\`: not a list of topic filters`;
    }
    return filters.map((text, place) => readFilter(`${key}[${place}]`, text));
}

function readFilter(key, text) {
    if (typeof text !== "string" || text === "" || text.includes("\0")) {
        throw `\`${key}\`: not a topic filter`;
    }
    const levels = text.split("/");
    for (const [place, level] of levels.entries()) {
        if (level.includes("#") && (level !== "#" || place + 1 < levels.length)) {
            throw `\`${key}\`: \`#\` stands alone in the last level: \`${text}\``;
        }
        if (level.includes("+") && level !== "+") {
            throw `\`${key}\`: \`+\` stands alone in its level: \`${text}\``;
        }
    }
    return levels;
}
