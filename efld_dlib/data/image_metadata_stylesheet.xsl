<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" version="4.0"/>
<xsl:template match="/dataset">
<html><head><title><xsl:value-of select="name"/></title><style>
figure { position: relative; display: inline-block; margin: 8px; }
.box { position: absolute; border: 1px solid #2a6; }
.part { position: absolute; width: 3px; height: 3px; margin: -1px; background: #e33; }
figcaption { font: 12px sans-serif; }
</style></head><body>
<h1><xsl:value-of select="name"/></h1><p><xsl:value-of select="comment"/></p>
<xsl:for-each select="images/image"><figure><img src="{@file}"/>
<xsl:for-each select="box">
<div class="box" style="left:{@left}px;top:{@top}px;width:{@width}px;height:{@height}px"/>
<xsl:for-each select="part"><div class="part" style="left:{@x}px;top:{@y}px"/></xsl:for-each>
</xsl:for-each><figcaption><xsl:value-of select="@file"/></figcaption></figure></xsl:for-each>
</body></html>
</xsl:template>
</xsl:stylesheet>
