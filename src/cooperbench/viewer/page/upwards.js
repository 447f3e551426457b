// The way from a page to the one above it, where there is one: a file of its own has nothing above it.

const above = document.querySelector("meta[name=up]");

/** A name that leads upwards. */
const Upwards = ({ children }) => (above ? html`<a href=${above.content}>${children}</a>` : children);
