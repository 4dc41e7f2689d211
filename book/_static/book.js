// A page opened from the disk may not fetch other pages, and the search would, to show
// where each of its results comes from. It shows their titles then.
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
