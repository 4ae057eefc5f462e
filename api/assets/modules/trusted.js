// The one Trusted Types policy: our own modules, and HTML that our own server rendered.
const factory = globalThis.trustedTypes ?? { createPolicy: (_, rules) => rules };

const policy = factory.createPolicy("ot", {
  createScriptURL(address) {
    const url = new URL(address, location.href);
    if (url.origin !== location.origin || !url.pathname.startsWith("/assets/")) throw new TypeError("not one of ours");
    return url.href;
  },
  createHTML: (html) => html,
});

/** Lets the address of one of our own modules become a worker. */
export const scriptURL = (address) => policy.createScriptURL(address);

/** Lets HTML that our own server rendered become a document's. */
export const serverHTML = (html) => policy.createHTML(html);
