"""Whether, and how large, an entry may be. Pure: values in, Approved or Refused out."""
