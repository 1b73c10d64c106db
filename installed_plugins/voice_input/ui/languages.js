/** What the operator offers, and the one in use, which may be none of them. */
export function languagesOf({ languages = [] }, current) {
  const tags = languages.filter(isTag);
  return tags.includes(current) || !isTag(current) ? tags : [current, ...tags];
}

/** In its own words, as people look for their language. */
export function languageName(tag) {
  if (!isTag(tag)) return tag;
  return new Intl.DisplayNames([tag], { type: "language" }).of(tag) ?? tag;
}

function isTag(tag) {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}
