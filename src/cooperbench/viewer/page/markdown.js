// A thing of the page as Markdown, to paste into an issue or a paper.

const fence = (text, kind = "") => {
  const longest = Math.max(2, ...(text.match(/`+/g) || []).map((ticks) => ticks.length));
  return `${"`".repeat(longest + 1)}${kind}\n${visible(text).replace(/\n$/, "")}\n${"`".repeat(longest + 1)}`;
};

const quoteLines = (text) =>
  visible(text)
    .split("\n")
    .map((line) => `> ${line}`)
    .join("\n");

/** Return what was chosen as Markdown, with where it stands. */
function asMarkdown(picture, item) {
  const { page } = picture;
  const out = [
    `**${page.run}, ${page.episode}: ${visible(detailTitle(item))}** (\`${item.id}\`, at ${moment(item.t0)})`,
  ];
  if (item.type === "step") out.push(...stepMarkdown(detailsOf(picture, item)));
  else if (item.type === "message" || item.type === "notice") {
    const read = item.refused
      ? "refused"
      : item.read == null
        ? "never read"
        : `read after ${seconds(item.read - item.sent)}`;
    out.push(`${item.sender} to ${visible(item.to)}, ${read}`, quoteLines(item.text));
  } else if (item.type === "suite") {
    out.push(item.failing.length ? `${item.failing.length} of ${item.all} fail` : `${item.all} pass`);
    for (const test of item.failing)
      out.push(`- \`${visible(test.name)}\` ${test.status}`, ...(test.output ? [fence(test.output)] : []));
  } else if (item.type === "merge") {
    out.push(item.status.replaceAll("_", " "));
    for (const region of item.regions) {
      out.push(`\`${visible(region.path)}\`${region.line ? `, line ${region.line}` : ""} (${region.kind})`);
      if (region.sides)
        out.push(
          `${list(region.ours) || "merged before"}:`,
          fence(region.sides.ours),
          `${region.theirs}:`,
          fence(region.sides.theirs),
        );
    }
  } else if (item.type === "git") {
    for (const ref of item.refs)
      out.push(`- ${item.push ? "pushed" : "fetched"} \`${ref.commit}\` ${visible(ref.subject || ref.branch)}`);
  } else out.push(visible(item.text || ""));
  return `${out.join("\n\n")}\n`;
}

function stepMarkdown(details) {
  if (!details) return [];
  const out = details.thought ? [quoteLines(details.thought)] : [];
  details.calls.forEach((call, i) => {
    if (call.text)
      out.push(
        call.to
          ? `To ${visible(call.to)}:\n\n${quoteLines(call.text)}`
          : fence(call.text, call.tool === "bash" ? "sh" : ""),
      );
    const answer = details.answers[i];
    if (answer)
      out.push(`${answer.exit_code != null ? `exit ${answer.exit_code}` : "answer"}:\n\n${fence(answer.text)}`);
  });
  return out;
}
