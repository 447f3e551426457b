// Where the data of a page comes from: packed into the page itself, or a server.

/** Unpack zlib data in base64 into the value of its JSON. */
async function unpack(packed) {
  const letters = atob(packed);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i); // `from` takes ten times as long
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

/** Read one part, such as "page" or "agent1.0". A server is asked below the address that the page names. */
async function readPart(name) {
  const inlined = document.getElementById(`part-${name}`);
  if (inlined) return unpack(inlined.textContent);
  const place = document.querySelector("meta[name=parts]");
  if (!place) throw new Error(`this page has no part "${name}"`);
  const answer = await fetch(`${place.content}/${encodeURIComponent(name)}`);
  if (!answer.ok) throw new Error(`the server does not give "${name}": ${answer.status} ${answer.statusText}`);
  return answer.json();
}

/** Wait until the browser has drawn and has time: long work is done in pieces, so that no key or scroll waits for it. */
const breathe = () => new Promise((resume) => requestAnimationFrame(() => setTimeout(resume)));
